"""Background work on reviews that are there: their language, when the model was away while they were written."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import Update, select, update

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.jobs import Job
from api.reviews.commands import FOUND
from api.reviews.judging.rules import TOXIC, TOXIC_WEIGHT, TOXIC_WORDS, Finding
from api.reviews.judging.toxicity import toxicity
from api.reviews.models import Review, ReviewByUser
from api.reviews.moderation.commands import suspect_text
from api.reviews.moderation.models import ReviewSignal

AT_ONCE = 50
# The model has longer here: nobody waits.
SECONDS = 5.0


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
            joined = round(1 - (1 - min(one.score, 1)) * (1 - TOXIC_WEIGHT), 3)
            finding = Finding("toxic", TOXIC_WEIGHT, TOXIC_WORDS)
            await suspect_text(ctx, one.review_id, one.version, finding, joined)
        read = update(ReviewSignal).where(ReviewSignal.review_id == one.review_id).values(toxicity=score)
        await ctx.db.run(partial(_keep, read))
    return len(scores or [])


async def _keep(read: Update, tx: Tx) -> None:
    await tx.execute(read)


JOBS = (Job("language of reviews", 10.0, read_languages, calms=True),)
