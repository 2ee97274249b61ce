"""Background work on reviews that are there: their language, when the model was away while they were written, and
reports of shoppers."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import Update, func, or_, select, update

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.jobs import Job
from api.reviews.commands import FOUND
from api.reviews.judging.filing import thresholds, wait_for_administrator
from api.reviews.judging.rules import RULES, TOXIC, Finding
from api.reviews.judging.toxicity import toxicity
from api.reviews.models import Review, ReviewByUser, ReviewReport
from api.reviews.moderation.commands import suspect
from api.reviews.moderation.models import QueuedReview, ReviewDecision, ReviewSignal

AT_ONCE = 50
# The model has longer here: nobody waits.
SECONDS = 5.0
# So many shoppers report a review before an administrator looks at it.
REPORTS = 3


@dataclass(frozen=True, slots=True)
class _Unread:
    review_id: UUID
    version: int
    title: str | None
    comment: str
    score: float


_UNREAD = (
    select(ReviewSignal.review_id, Review.version, Review.title, Review.comment, Review.score)
    .join(ReviewByUser, ReviewByUser.review_id == ReviewSignal.review_id)
    .join(Review, FOUND)
    .where(ReviewSignal.toxicity.is_(None))
    .order_by(ReviewSignal.review_id)
    .limit(AT_ONCE)
)
# Reports since an administrator last decided; the review stays as it is while it waits.
_SINCE = (
    select(func.max(ReviewDecision.created_at))
    .where(ReviewDecision.review_id == ReviewReport.review_id, ReviewDecision.decided_by.is_not(None))
    .correlate(ReviewReport)
    .scalar_subquery()
)
_REPORTED = (
    select(ReviewReport.review_id, func.count())
    .join(ReviewByUser, ReviewByUser.review_id == ReviewReport.review_id)
    .where(
        ReviewByUser.status == "published",
        or_(_SINCE.is_(None), ReviewReport.created_at > _SINCE),
        ~select(QueuedReview.review_id).where(QueuedReview.review_id == ReviewReport.review_id).exists(),
    )
    .group_by(ReviewReport.review_id)
    .having(func.count() >= REPORTS)
    .order_by(ReviewReport.review_id)
    .limit(AT_ONCE)
)
_WORDS = next(rule.words for rule in RULES if rule.name == "toxic")


async def read_languages(ctx: Context) -> int:
    """Ask the model about reviews that it has not read, and let what it finds toxic wait for an administrator."""
    async with ctx.db.read() as tx:
        unread = await tx.all_as(_Unread, _UNREAD)
    if not unread:
        return 0
    scores = await toxicity(ctx, [f"{one.title or ''}\n{one.comment}" for one in unread], SECONDS)
    for one, score in zip(unread, scores or [], strict=False):
        # The score is kept last: a worker that dies before is asked again.
        if score >= TOXIC:
            joined = round(1 - (1 - min(one.score, 1)) * 0.4, 3)
            finding = Finding("toxic", 0.6, _WORDS)
            await suspect(ctx, one.review_id, "language", [finding], joined, version=one.version)
        read = update(ReviewSignal).where(ReviewSignal.review_id == one.review_id).values(toxicity=score)
        await ctx.db.run(partial(_keep, read))
    return len(scores or [])


async def _keep(read: Update, tx: Tx) -> None:
    await tx.execute(read)


async def gather_reports(ctx: Context) -> int:
    """Put reviews in the queue that enough shoppers have reported."""

    async def work(tx: Tx) -> int:
        found = await tx.all(_REPORTED)
        for review_id, reports in found:
            finding = Finding("reported", 0.5, f"{reports} shoppers reported it.")
            await wait_for_administrator(tx, review_id, "reported", max(0.5, thresholds(ctx).queue), [finding])
        return len(found)

    return await ctx.db.run(work)


JOBS = (Job("language of reviews", 10.0, read_languages), Job("reports of reviews", 30.0, gather_reports))
