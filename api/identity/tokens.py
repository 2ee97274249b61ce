"""Sessions: a short signed access token and an opaque refresh token that is used once.

Every refresh replaces the token; a replaced token that is presented again shows that two parties hold the
family, so the whole family is revoked (RFC 9700, section 4.14.2), with no grace window. A family expires 30 days
after it began, however often it was refreshed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

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
    return await _issue(ctx, tx, claims, new_id(), ends)


async def refresh(ctx: Context, token: str) -> Session:
    """Exchange a refresh token for a new pair.

    Raises: InvalidRefreshToken (401) when it is unknown, expired, revoked or already used; a used one ends its family.
    """
    token_hash = hash_opaque_token(token)

    async def work(tx: Tx) -> Session | None:
        usable = (
            RefreshToken.token_hash == token_hash,
            RefreshToken.used_at.is_(None),
            RefreshToken.revoked_at.is_(None),
            RefreshToken.expires_at > func.now(),
            User.user_id == RefreshToken.user_id,
            User.status == "active",
        )
        # One conditional UPDATE decides: of two simultaneous refreshes exactly one sees used_at null.
        taken = await tx.first_as(
            _Taken,
            update(RefreshToken)
            .where(*usable)
            .values(used_at=func.now())
            .returning(
                RefreshToken.family_id, RefreshToken.expires_at, User.user_id, User.user_type, User.session_version
            ),
        )
        if taken is None:
            await _end_family_of(tx, token_hash)
            return None
        claims = AccessClaims(taken.user_id, taken.user_type, taken.session_version)
        return await _issue(ctx, tx, claims, taken.family_id, taken.expires_at)

    # The family's end must be committed, so the refusal is raised only afterwards.
    session = await ctx.db.run(work)
    if session is None:
        raise InvalidRefreshToken(_REFUSED)
    return session


async def logout(ctx: Context, token: str) -> None:
    """End the token's family and all access tokens of the account. Does not reveal whether the token was valid.

    Access tokens carry no family, so raising the session version ends those of every device. Other devices get
    a new one with their own refresh tokens.
    """
    token_hash = hash_opaque_token(token)

    async def work(tx: Tx) -> None:
        user_id = await _end_family_of(tx, token_hash)
        if user_id is not None:
            await tx.execute(
                update(User).where(User.user_id == user_id).values(session_version=User.session_version + 1)
            )

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
    family = select(RefreshToken.family_id).where(RefreshToken.token_hash == token_hash).scalar_subquery()
    live = (RefreshToken.family_id == family, RefreshToken.revoked_at.is_(None))
    ended: UUID | None = await tx.scalar(
        update(RefreshToken).where(*live).values(revoked_at=func.now()).returning(RefreshToken.user_id)
    )
    return ended


async def _issue(ctx: Context, tx: Tx, claims: AccessClaims, family_id: UUID, ends: datetime) -> Session:
    token, token_hash = new_opaque_token()
    values = {"token_hash": token_hash, "family_id": family_id, "user_id": claims.user_id, "expires_at": ends}
    await tx.execute(insert(RefreshToken).values(values))
    seconds = ctx.settings.access_token_seconds
    access = ctx.keys.issue_access_token(claims, seconds)
    return Session(access_token=access, refresh_token=token, expires_in=seconds)
