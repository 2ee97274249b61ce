"""Reviews that the marts suspect wait for an administrator, published ones too. None is deleted, and none waits
again for what an administrator who published it knew."""

from collections.abc import Sequence
from uuid import UUID

from api.analytics.marts import MartReader, Suspicion
from api.kernel.context import Context
from api.reviews.judging.rules import Finding
from api.reviews.moderation.commands import suspect
from api.reviews.moderation.queries import unanswered

_WORDS = {
    "ring": "{} accounts that share a place agree about its seller.",
    "burst": "{} new accounts that bought nothing agree about its product within a day.",
}


class Suspects:
    """One per process: asks the marts again when they are newer."""

    def __init__(self) -> None:
        self._seen: tuple[str, str] | None = None

    async def gather(self, ctx: Context) -> int:
        """Put in the queue what the marts suspect and no administrator has answered; returns how many reviews."""
        marts = MartReader(ctx.settings.marts_path)
        newest = await marts.watermark()
        place = None if newest is None else (str(ctx.settings.marts_path), newest.lsn)
        if place is None or place == self._seen:
            return 0
        queued = await queue_suspected(ctx, await marts.suspicions())
        self._seen = place
        return queued


async def queue_suspected(ctx: Context, suspicions: Sequence[Suspicion]) -> int:
    """The same for what was found; returns how many reviews wait now that did not."""
    by_review: dict[UUID, list[Finding]] = {}
    for one in suspicions:
        finding = Finding(one.pattern, one.score, _WORDS[one.pattern].format(one.accounts))
        by_review.setdefault(UUID(one.review_id), []).append(finding)
    # Before a transaction is opened for each: most of what was found once is found again.
    async with ctx.db.read() as tx:
        new = await unanswered(tx, [(review, one.rule) for review, found in by_review.items() for one in found])
    return sum([await suspect(ctx, review, by_review[review]) for review in sorted({review for review, _ in new})])
