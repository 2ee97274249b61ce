"""The mail to authors of reviews that were decided about: the statement of reasons."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from api.catalog.approval.queries import labels_of
from api.identity.queries import emails_of
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.reviews.judging.filing import JUDGED
from api.reviews.moderation.queries import Verdict, authors_of, verdicts_of

# What the answer to the author's own request says already.
_ANSWERED = ("submitted", "edited")


async def _tell(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    judged = {UUID(orjson.loads(event.payload)["decisionId"]): event for event in events if event.event_type == JUDGED}
    told = [one for one in await verdicts_of(tx, judged) if _is_told(one)] if judged else []
    if not told:
        return
    authors = await authors_of(tx, {one.review_id for one in told})
    labels = await labels_of(tx, {author.product_id for author in authors.values()})
    emails = await emails_of(tx, {author.user_id for author in authors.values()})
    await mail.queue(
        tx,
        [
            mail.NewMail(
                judged[one.decision_id].event_id,
                f"review-{one.decision}",
                emails[author.user_id],
                {"title": labels[author.product_id].title, "reason": _reason(one), "appeal": one.cause != "appeal"},
            )
            for one in told
            if (author := authors.get(one.review_id)) is not None and author.user_id in emails
        ],
    )


def _is_told(one: Verdict) -> bool:
    """Every rejection, and what became of a review after it was written."""
    return one.decision == "rejected" or one.cause not in _ANSWERED


def _reason(one: Verdict) -> str:
    if one.statement is not None:
        return one.statement
    return " ".join(reason["words"] for reason in one.reasons)


DOORS: tuple[Door, ...] = (_tell,)
