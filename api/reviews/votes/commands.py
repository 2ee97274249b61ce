"""Say whether somebody else's review is helpful: one vote of each shopper, changed and taken back."""

from typing import Literal
from uuid import UUID

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.reviews.commands import Locked, lock_published, set_vote
from api.reviews.errors import OwnProductReview, OwnReview
from api.reviews.judging.traces import UNKNOWN, Trace
from api.reviews.schemas import Votes

_WORDS: dict[bool | None, Literal["helpful", "not_helpful"] | None] = {
    None: None,
    True: "helpful",
    False: "not_helpful",
}


async def vote(ctx: Context, actor: Actor, review_id: UUID, *, helpful: bool | None, trace: Trace = UNKNOWN) -> Votes:
    """The same vote again is that vote; None takes it back.

    Raises: ReviewNotFound; OwnReview; OwnProductReview, when it is about the actor's own product.
    """

    async def work(tx: Tx) -> Votes:
        review = await lock_published(tx, review_id)
        _require_voter(actor, review)
        found, not_found = await set_vote(tx, actor, review, helpful, trace)
        return Votes(review_id=review_id, helpful_count=found, not_helpful_count=not_found, vote=_WORDS[helpful])

    return await ctx.db.run(work)


def _require_voter(actor: Actor, review: Locked) -> None:
    if review.user_id == actor.user_id:
        raise OwnReview("Others say whether it is helpful.")
    if review.seller_id == actor.user_id:
        raise OwnProductReview("Its seller has no vote: answer the review.")
