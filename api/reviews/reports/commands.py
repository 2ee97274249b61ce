"""Tell the administrators of somebody else's review."""

from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.reviews.commands import lock_published
from api.reviews.errors import OwnReview
from api.reviews.judging.filing import thresholds, wait_for_administrator
from api.reviews.judging.rules import Finding
from api.reviews.models import ReviewReport
from api.reviews.moderation.models import ReviewDecision
from api.reviews.schemas import ReportIn

# So many shoppers report a review before an administrator looks at it.
REPORTS = 3
_REVIEW = bindparam("review_id", type_=Uuid)
_RULED_AT = (
    select(func.max(ReviewDecision.created_at))
    .where(ReviewDecision.review_id == _REVIEW, ReviewDecision.decided_by.is_not(None))
    .scalar_subquery()
)
# Since an administrator last decided about it.
_REPORTED = select(func.count()).where(
    ReviewReport.review_id == _REVIEW, or_(_RULED_AT.is_(None), ReviewReport.created_at > _RULED_AT)
)


async def report(ctx: Context, actor: Actor, review_id: UUID, body: ReportIn) -> None:
    """A shopper's second report of a review replaces the first. The review stays as it is while an administrator looks.

    Raises: ReviewNotFound; OwnReview.
    """

    async def work(tx: Tx) -> None:
        if (await lock_published(tx, review_id)).user_id == actor.user_id:
            raise OwnReview("Delete it instead.")
        said = {"reason": body.reason, "comment": body.comment, "created_at": func.now()}
        statement = upsert(ReviewReport).values(review_id=review_id, user_id=actor.user_id, **said)
        await tx.execute(statement.on_conflict_do_update(index_elements=["review_id", "user_id"], set_=said))
        reports = await tx.scalar(_REPORTED, {"review_id": review_id}) or 0
        if reports >= REPORTS:
            found = Finding("reported", 0.5, f"{reports} shoppers reported it.")
            score = max(found.weight, thresholds(ctx).queue)
            await wait_for_administrator(tx, review_id, "reported", score, [found])

    await ctx.db.run(work)
