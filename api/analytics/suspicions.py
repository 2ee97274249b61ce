"""Reviews that the marts suspect wait for an administrator, published ones too. None is deleted, and none that an
administrator has published waits again."""

from uuid import UUID

from api.analytics.marts import MartReader, Suspicion
from api.kernel.context import Context
from api.reviews.judging.rules import Finding
from api.reviews.moderation.commands import suspect
from api.reviews.moderation.queries import undecided

_WORDS = {
    "ring": "{} accounts that share a place agree about its seller.",
    "burst": "{} new accounts that bought nothing agree about its product within a day.",
}


class Suspects:
    """One per process: asks the marts again when they are newer."""

    def __init__(self) -> None:
        self._seen: tuple[str, str] | None = None

    async def gather(self, ctx: Context) -> int:
        """Put in the queue what the marts suspect and no administrator has published; returns how many reviews."""
        marts = MartReader(ctx.settings.marts_path)
        newest = await marts.watermark()
        place = None if newest is None else (str(ctx.settings.marts_path), newest.lsn)
        if place is None or place == self._seen:
            return 0
        queued = await queue_suspected(ctx, await marts.suspicions())
        self._seen = place
        return queued


async def queue_suspected(ctx: Context, suspicions: list[Suspicion]) -> int:
    """The same for what was found; returns how many reviews wait now that did not."""
    by_review: dict[UUID, list[Suspicion]] = {}
    for one in suspicions:
        by_review.setdefault(UUID(one.review_id), []).append(one)
    async with ctx.db.read() as tx:
        open_ones = await undecided(tx, by_review)
    queued = 0
    for review_id in open_ones:
        found = sorted(by_review[review_id], key=lambda one: -one.score)
        reasons = [Finding(one.pattern, one.score, _WORDS[one.pattern].format(one.accounts)) for one in found]
        queued += await suspect(ctx, review_id, "suspected", reasons, found[0].score)
    return queued
