"""Sessions: a short signed access token and an opaque refresh token that is used once.

Every refresh replaces the token; a replaced token that is presented again shows that two parties hold the
family, so the whole family is revoked (RFC 9700, section 4.14.2), with no grace window. A family expires 30 days
after it began, however often it was refreshed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Executable, LargeBinary, bindparam, delete, func, insert, select, update

from api.identity.errors import InvalidRefreshToken
from api.identity.models import RefreshToken, User
from api.identity.schemas import Session
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.security import AccessClaims, UserType, hash_opaque_token, new_opaque_token

_REFUSED = "Sign in again."


@dataclass(frozen=True, slots=True)
class _Taken:
    """A refresh token that has just been used, with its account."""

    family_id: UUID
    expires_at: datetime
    user_id: UUID
    user_type: UserType
    session_version: int


async def start_session(ctx: Context, tx: Tx, claims: AccessClaims) -> Session:
    """Start a new family for a user who has just authenticated."""
    ends = clock.now() + timedelta(seconds=ctx.settings.refresh_token_seconds)
    return _session(ctx, claims, await _issue(tx, claims.user_id, ends))


async def refresh(ctx: Context, token: str) -> Session:
    """Exchange a refresh token for a new pair.

    Raises: InvalidRefreshToken (401) when it is unknown, expired, revoked or already used; a used one ends its family.
    """
    token_hash = hash_opaque_token(token)
    renewed, renewed_hash = new_opaque_token()
    hashes = {"given": token_hash, "new_token": renewed_hash}
    taken = await ctx.db.run_alone(lambda tx: tx.first_as(_Taken, _RENEW, hashes))
    if taken is None:
        # The family's end must be committed, so the refusal is raised only afterwards.
        await ctx.db.run_alone(lambda tx: _end_family_of(tx, token_hash))
        raise InvalidRefreshToken(_REFUSED)
    return _session(ctx, AccessClaims(taken.user_id, taken.user_type, taken.session_version), renewed)


async def logout(ctx: Context, token: str) -> None:
    """End the token's family and all access tokens of the account. Does not reveal whether the token was valid.

    Access tokens carry no family, so raising the session version ends those of every device. Other devices get
    a new one with their own refresh tokens.
    """
    token_hash = hash_opaque_token(token)

    async def work(tx: Tx) -> None:
        user_id = await _end_family_of(tx, token_hash)
        if user_id is not None:
            await tx.execute(_END_ACCESS, {"of_user": user_id})

    await ctx.db.run(work)


async def revoke_all(tx: Tx, user_id: UUID) -> None:
    """End every family of the account."""
    live = (RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None))
    await tx.execute(update(RefreshToken).where(*live).values(revoked_at=func.now()))


async def forget_expired(tx: Tx, limit: int) -> int:
    """Delete at most `limit` expired tokens; returns how many.

    An expired token is refused whether its row exists or not.
    """
    over = (
        select(RefreshToken.token_hash)
        .where(RefreshToken.expires_at <= func.now())
        .order_by(RefreshToken.expires_at)
        .limit(limit)
    )
    gone = await tx.execute(
        delete(RefreshToken).where(RefreshToken.token_hash.in_(over.with_for_update(skip_locked=True)))
    )
    return gone.rowcount


async def _end_family_of(tx: Tx, token_hash: bytes) -> UUID | None:
    """Revoke the family of a known token, used or not; returns its user when a token was still live."""
    ended: UUID | None = await tx.scalar(_END_FAMILY, {"given": token_hash})
    return ended


async def _issue(tx: Tx, user_id: UUID, ends: datetime) -> str:
    """The first token of a new family."""
    token, token_hash = new_opaque_token()
    values = {"new_token": token_hash, "of_family": new_id(), "of_user": user_id, "until": ends}
    await tx.execute(_ISSUE, values)
    return token


def _session(ctx: Context, claims: AccessClaims, refresh_token: str) -> Session:
    seconds = ctx.settings.access_token_seconds
    access = ctx.keys.issue_access_token(claims, seconds)
    return Session(access_token=access, refresh_token=refresh_token, expires_in=seconds)


def _renew() -> Executable:
    """Use a token and store the one after it. One conditional UPDATE decides: of two simultaneous refreshes exactly one
    sees used_at null."""
    usable = (
        RefreshToken.token_hash == bindparam("given"),
        RefreshToken.used_at.is_(None),
        RefreshToken.revoked_at.is_(None),
        RefreshToken.expires_at > func.now(),
        User.user_id == RefreshToken.user_id,
        User.status == "active",
    )
    found = (RefreshToken.family_id, RefreshToken.expires_at, User.user_id, User.user_type, User.session_version)
    taken = update(RefreshToken).where(*usable).values(used_at=func.now()).returning(*found).cte("taken")
    after = select(bindparam("new_token", type_=LargeBinary), taken.c.family_id, taken.c.user_id, taken.c.expires_at)
    issued = insert(RefreshToken).from_select(["token_hash", "family_id", "user_id", "expires_at"], after).cte("issued")
    return select(taken).add_cte(issued)


_RENEW = _renew()
_ISSUE = insert(RefreshToken).values(
    token_hash=bindparam("new_token"),
    family_id=bindparam("of_family"),
    user_id=bindparam("of_user"),
    expires_at=bindparam("until"),
)
_FAMILY = select(RefreshToken.family_id).where(RefreshToken.token_hash == bindparam("given")).scalar_subquery()
_END_FAMILY = (
    update(RefreshToken)
    .where(RefreshToken.family_id == _FAMILY, RefreshToken.revoked_at.is_(None))
    .values(revoked_at=func.now())
    .returning(RefreshToken.user_id)
)
_END_ACCESS = update(User).where(User.user_id == bindparam("of_user")).values(session_version=User.session_version + 1)
