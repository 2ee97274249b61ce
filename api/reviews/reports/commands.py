"""Tell the administrators of somebody else's review."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert as upsert

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.reviews.commands import lock_published
from api.reviews.errors import OwnReview
from api.reviews.models import ReviewReport
from api.reviews.schemas import ReportIn


async def report(ctx: Context, actor: Actor, review_id: UUID, body: ReportIn) -> None:
    """A shopper's second report of a review replaces the first. Raises: ReviewNotFound; OwnReview."""

    async def work(tx: Tx) -> None:
        if (await lock_published(tx, review_id)).user_id == actor.user_id:
            raise OwnReview("Delete it instead.")
        said = {"reason": body.reason, "comment": body.comment}
        statement = upsert(ReviewReport).values(review_id=review_id, user_id=actor.user_id, **said)
        await tx.execute(statement.on_conflict_do_update(index_elements=["review_id", "user_id"], set_=said))

    await ctx.db.run(work)
