"""Authentication of a request: by a bearer token, or by a guest's session id."""

from dataclasses import replace
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Header, Request
from starlette.types import Scope

from api.kernel import guests
from api.kernel.actor import ANONYMOUS, Actor, require_administrator
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden, NotAuthenticated
from api.kernel.security import AccessClaims, Keys

Bearer = Annotated[str | None, Header(description="`Bearer ACCESS_TOKEN`")]


class Account(Protocol):
    """What requests need to know of the account that asks."""

    @property
    def member(self) -> bool: ...
    @property
    def email(self) -> str: ...


class SessionGuard(Protocol):
    """Decides whether the session of a valid token is still active; identity
    implements it, the application holds it."""

    async def require_live(self, claims: AccessClaims) -> Account:
        """The account, which may be a few seconds old."""
        ...


def seller_of(keys: Keys, scope: Scope) -> UUID | None:
    """The seller whose token a request carries, before anything else is looked at; None without one."""
    text = next((value for name, value in scope["headers"] if name == b"authorization"), b"").decode("latin-1")
    scheme, _, token = text.partition(" ")
    try:
        claims = keys.read_access_token(token.strip()) if scheme.lower() == "bearer" else None
    except NotAuthenticated:
        return None
    return claims.user_id if claims is not None and claims.user_type == "seller" else None


async def account_of(request: Request, ctx: Ctx, authorization: Bearer = None) -> Actor:
    """The account that asks, or nobody. An invalid token is refused, never treated as an anonymous request.

    For pages that are the same for every guest: their answers name no session.
    """
    if authorization is None:
        return ANONYMOUS
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Send `Authorization: Bearer ACCESS_TOKEN`.", headers={"WWW-Authenticate": "Bearer"})
    claims = ctx.keys.read_access_token(token.strip())
    guard: SessionGuard = request.app.state.session_guard
    account = await guard.require_live(claims)
    return Actor(kind=claims.user_type, user_id=claims.user_id, member=account.member, email=account.email)


AccountActor = Annotated[Actor, Depends(account_of)]


async def current_actor(
    request: Request,
    ctx: Ctx,
    authorization: Bearer = None,
    x_session_id: Annotated[
        str | None, Header(description="A guest's session, as an answer of the shop gave it")
    ] = None,
) -> Actor:
    """The actor of the request. A guest without a session that the shop issued gets one, which the answer carries."""
    session_id = _issued(ctx, request, x_session_id)
    if authorization is not None:
        return replace(await account_of(request, ctx, authorization), session_id=session_id)
    if session_id is not None:
        return Actor(kind="anonymous", session_id=session_id)
    return Actor(kind="anonymous", session_id=renew_session(request, ctx), new_session=True)


CurrentActor = Annotated[Actor, Depends(current_actor)]


def renew_session(request: Request, ctx: Context) -> str:
    """A new guest session, which the answer carries. After a sign-in nobody who knew the old one sees what follows."""
    session_id = guests.new_session(ctx.keys)
    secure = ctx.settings.api_url.startswith("https://")
    guests.remember(request.scope, session_id, seconds=ctx.settings.guest_cart_ttl_seconds, secure=secure)
    return session_id


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


async def administrator(actor: SignedIn) -> Actor:
    require_administrator(actor)
    return actor


AdminActor = Annotated[Actor, Depends(administrator)]


def _issued(ctx: Context, request: Request, header: str | None) -> str | None:
    """The session that the request names, in its header or else in its cookie, if this shop issued it."""
    if header is not None and guests.is_issued(ctx.keys, header):
        return header
    cookie = request.cookies.get(guests.SESSION_COOKIE)
    return cookie if cookie is not None and guests.is_issued(ctx.keys, cookie) else None
