"""Brigades: many new or linked accounts that vote alike on one review in a short time.

Their votes are set aside (`standing` of `review_votes`): they stay, and their voters see them, but they are in no count
and no order of reviews until an administrator releases them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, func, select, update

from api.identity.queries import registered_at
from api.kernel.actor import Actor, require_administrator
from api.kernel.context import Context
from api.kernel.db import Tx
from api.reviews.commands import Locked, lock, recount
from api.reviews.errors import ReviewNotFound
from api.reviews.models import ReviewVote
from api.reviews.moderation.schemas import VotesReleased

# Votes of so many suspect accounts, all the same way within the time, and most of those of the time, are a brigade.
FEWEST, WINDOW, SHARE = 5, timedelta(hours=24), 0.6
YOUNG = timedelta(days=3)
# A vote is seen by others at most so long after the time that it bears.
LATE = timedelta(minutes=1)
# So many accounts of one address or device are linked; two may be a household.
LINKED = 3


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote on one review. `registered_at`: of the voter's account, None when that is not known."""

    user_id: UUID
    helpful: bool
    address: str | None
    device: str | None
    created_at: datetime
    registered_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Row:
    user_id: UUID
    helpful: bool
    address: str | None
    device: str | None
    created_at: datetime


_NOW = select(func.now())
_RECENT = ReviewVote.created_at > func.now() - WINDOW
_COUNTED = ReviewVote.standing == "counted"
_REVIEW = ReviewVote.review_id == bindparam("review_id", type_=Uuid)
_NEWER = select(ReviewVote.review_id).where(ReviewVote.created_at > bindparam("since", type_=DateTime(timezone=True)))
# A review whose votes are looked at: it got votes since they were looked at last, and enough for a brigade in the time.
BUSY = (
    select(ReviewVote.review_id)
    .where(ReviewVote.review_id.in_(_NEWER), _RECENT, _COUNTED)
    .group_by(ReviewVote.review_id)
    .having(func.count() >= FEWEST)
    .order_by(ReviewVote.review_id)
)
_VOTES = (
    select(*(getattr(ReviewVote, name) for name in _Row.__slots__))
    .where(_REVIEW, _RECENT, ReviewVote.standing != "released")
    .order_by(ReviewVote.user_id)
)


def brigade(votes: Sequence[Vote]) -> set[UUID]:
    """Who belongs to one, of those who voted on a review within the time.

    An account is suspect when it was new when it voted, or when it shares its address or device with enough others that
    voted on the review. The suspect ones of one side are a brigade when they are enough, and most of that side.
    """
    addresses, devices = Counter(one.address for one in votes), Counter(one.device for one in votes)
    found: set[UUID] = set()
    for side in (True, False):
        voted = [one for one in votes if one.helpful is side]
        suspects = {
            one.user_id
            for one in voted
            if (one.registered_at is not None and one.created_at - one.registered_at < YOUNG)
            or (one.address is not None and addresses[one.address] >= LINKED)
            or (one.device is not None and devices[one.device] >= LINKED)
        }
        if len(suspects) >= FEWEST and len(suspects) >= SHARE * len(voted):
            found |= suspects
    return found


class Brigades:
    """Looks at each review that got votes since the last look; the first of a process is at those of the whole time."""

    def __init__(self) -> None:
        self._looked_at: datetime | None = None

    async def set_aside(self, ctx: Context) -> int:
        """Returns how many votes count no longer."""
        async with ctx.db.read() as tx:
            now: datetime = await tx.scalar(_NOW)
            since = now - WINDOW if self._looked_at is None else self._looked_at - LATE
            busy = [row[0] for row in await tx.all(BUSY, {"since": since})]
        aside = 0
        for review_id in busy:
            aside += await ctx.db.run(partial(_set_aside, review_id=review_id))
        self._looked_at = now
        return aside


async def release(ctx: Context, actor: Actor, review_id: UUID) -> VotesReleased:
    """Let all votes on a review count. Raises: Forbidden; ReviewNotFound."""
    require_administrator(actor)

    async def work(tx: Tx) -> VotesReleased:
        review = await lock(tx, review_id)
        if review is None:
            raise ReviewNotFound
        freed = update(ReviewVote).where(ReviewVote.review_id == review_id, ReviewVote.standing == "quarantined")
        released = (await tx.execute(freed.values(standing="released"))).rowcount
        helpful, not_helpful = await recount(tx, review)
        return VotesReleased(
            review_id=review_id, released=released, helpful_count=helpful, not_helpful_count=not_helpful
        )

    return await ctx.db.run(work)


async def _set_aside(tx: Tx, review_id: UUID) -> int:
    review: Locked | None = await lock(tx, review_id)
    if review is None:
        return 0
    rows = await tx.all_as(_Row, _VOTES, {"review_id": review_id})
    since = await registered_at(tx, [row.user_id for row in rows])
    votes = [
        Vote(row.user_id, row.helpful, row.address, row.device, row.created_at, since.get(row.user_id)) for row in rows
    ]
    if not (suspects := brigade(votes)):
        return 0
    aside = update(ReviewVote).where(ReviewVote.review_id == review_id, ReviewVote.user_id.in_(suspects), _COUNTED)
    gone = (await tx.execute(aside.values(standing="quarantined"))).rowcount
    if gone:
        await recount(tx, review)
    return gone
