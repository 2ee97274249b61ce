"""Authentication of a request: by a bearer token, or by a guest's session id."""

import re
from typing import Annotated, Protocol

from fastapi import Depends, Header, Request

from api.kernel.actor import Actor
from api.kernel.context import Ctx
from api.kernel.errors import FieldError, Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.security import AccessClaims

SESSION_COOKIE = "souk_session"
SESSION_PATTERN = re.compile(r"[A-Za-z0-9_-]{8,128}")


class SessionGuard(Protocol):
    """Decides whether the session of a valid token is still active; identity
    implements it, the application holds it."""

    async def require_live(self, claims: AccessClaims) -> None: ...


async def current_actor(
    request: Request,
    ctx: Ctx,
    authorization: Annotated[str | None, Header(description="`Bearer ACCESS_TOKEN`")] = None,
    x_session_id: Annotated[
        str | None, Header(description="A guest's session: 8 to 128 letters, digits, `-`, `_`")
    ] = None,
) -> Actor:
    """The actor of the request. An invalid token is refused, never treated as an anonymous request."""
    session_id = _session_id(x_session_id or request.cookies.get(SESSION_COOKIE))
    if authorization is None:
        return Actor(kind="anonymous", session_id=session_id)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Send `Authorization: Bearer ACCESS_TOKEN`.", headers={"WWW-Authenticate": "Bearer"})
    claims = ctx.keys.read_access_token(token.strip())
    guard: SessionGuard = request.app.state.session_guard
    await guard.require_live(claims)
    return Actor(kind=claims.user_type, user_id=claims.user_id, session_id=session_id)


CurrentActor = Annotated[Actor, Depends(current_actor)]


async def signed_in(actor: CurrentActor) -> Actor:
    if not actor.signed_in:
        raise NotAuthenticated(
            "Sign in and send the access token as `Authorization: Bearer ...`.", headers={"WWW-Authenticate": "Bearer"}
        )
    return actor


SignedIn = Annotated[Actor, Depends(signed_in)]


async def seller(actor: SignedIn) -> Actor:
    if actor.kind != "seller":
        raise Forbidden("Only sellers may do this.")
    return actor


SellerActor = Annotated[Actor, Depends(seller)]


def _session_id(value: str | None) -> str | None:
    if value is None:
        return None
    if not SESSION_PATTERN.fullmatch(value):
        message = "8 to 128 letters, digits, '-' or '_'"
        raise ValidationFailed(
            "The session id is not usable.", errors=[FieldError(pointer="/header/X-Session-Id", message=message)]
        )
    return value
