"""Judge a review as a part of the save that makes it necessary, and keep what was found and decided."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.kernel import outbox
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Forbidden
from api.kernel.ids import new_id
from api.reviews.events import AGGREGATE
from api.reviews.judging.evidence import Case, facts_about
from api.reviews.judging.likeness import bands
from api.reviews.judging.mood import mood
from api.reviews.judging.rules import Decision, Finding, Thresholds, Verdict, judge
from api.reviews.moderation.models import BuyersOnly, QueuedReview, ReviewDecision, ReviewSignal

STATUS_OF: dict[Decision, str] = {"publish": "published", "queue": "queued", "reject": "rejected"}
# Says that something was decided about a review, so that its author is told.
JUDGED = "ReviewJudged"
# An administrator's rejection is not undone by an edit: somebody looks again.
REFUSED = Finding("refused", 0.5, "An administrator rejected it before.")


class BuyersOnlyReview(Forbidden):
    """Whoever sells the product wants reviews of buyers only."""

    title, code = "Only buyers review this product", "buyers-only"


@dataclass(frozen=True, slots=True)
class Decided:
    """A row of `review_decisions` that is to be."""

    review_id: UUID
    version: int
    cause: str
    decision: str
    score: float
    reasons: Sequence[Finding]
    statement: str | None = None
    decided_by: UUID | None = None


async def require_welcome(tx: Tx, product_id: UUID, seller_id: UUID, *, verified: bool) -> None:
    """Raises: BuyersOnlyReview for somebody who did not receive the product, where its seller wants buyers only."""
    if verified:
        return
    wanted = select(BuyersOnly.subject_id).where(BuyersOnly.subject_id.in_([product_id, seller_id])).limit(1)
    if await tx.first(wanted) is not None:
        raise BuyersOnlyReview("Its seller takes reviews of those who received it here.")


async def judged(tx: Tx, ctx: Context, one: Case, *, refused: bool = False) -> Verdict:
    """What the rules say of it. `refused`: an administrator's last decision about it was against it."""
    language = one.language or ctx.settings.languages.own
    facts = await facts_about(tx, one, mood(one.text, language), ctx.settings.languages.known)
    verdict = judge(facts, thresholds(ctx))
    if not refused:
        return verdict
    score = round(1 - (1 - verdict.score) * (1 - REFUSED.weight), 3)
    decision: Decision = "reject" if verdict.decision == "reject" else "queue"
    return Verdict(score, [REFUSED, *verdict.reasons], decision)


def thresholds(ctx: Context) -> Thresholds:
    """As the settings say."""
    settings = ctx.settings
    return Thresholds(settings.review_queue_score, settings.review_queue_score_unverified, settings.review_reject_score)


async def file(tx: Tx, one: Case, verdict: Verdict, *, version: int, cause: str) -> None:
    """Keep the signals of a review whose rows are written, what the rules decided, and its place in the queue."""
    signed = None if one.signature is None else list(one.signature)
    signals = {
        "review_id": one.review_id,
        "user_id": one.user_id,
        "product_id": one.product_id,
        "seller_id": one.seller_id,
        "address": one.trace.address,
        "device": one.trace.device,
        "signature": signed,
        "bands": None if signed is None else bands(signed),
        "toxicity": one.toxicity,
    }
    row = upsert(ReviewSignal).values(signals)
    said = {name: signals[name] for name in ("address", "device", "signature", "bands", "toxicity")}
    await tx.execute(row.on_conflict_do_update(index_elements=["review_id"], set_=said))
    decided = Decided(one.review_id, version, cause, STATUS_OF[verdict.decision], verdict.score, verdict.reasons)
    await record(tx, decided, _payload(one.product_id, one.seller_id, one.rating))
    await place(tx, decided)


async def record(tx: Tx, decided: Decided, about: dict[str, Any]) -> UUID:  # Any: of the event
    """Add a decision to the journal, and the event that tells the author; returns its id."""
    decision_id = new_id()
    row = {
        "decision_id": decision_id,
        "review_id": decided.review_id,
        "version": decided.version,
        "cause": decided.cause,
        "decision": decided.decision,
        "score": decided.score,
        "reasons": [asdict(one) for one in decided.reasons],
        "statement": decided.statement,
        "decided_by": decided.decided_by,
    }
    await tx.execute(upsert(ReviewDecision).values(row))
    payload = {**about, "status": decided.decision, "decisionId": decision_id}
    await outbox.emit(tx, AGGREGATE, decided.review_id, JUDGED, payload)
    return decision_id


async def place(tx: Tx, decided: Decided) -> None:
    """Put a review in the queue, or take it out, as was decided. One that waits keeps its place."""
    if decided.decision != "queued":
        of_review = [QueuedReview.review_id == decided.review_id]
        # What shoppers reported waits for a person, whatever the rules say of an edit.
        theirs = [] if decided.decided_by else [QueuedReview.cause != "reported"]
        await tx.execute(delete(QueuedReview).where(*of_review, *theirs))
        return
    await wait_for_administrator(tx, decided.review_id, decided.cause, decided.score, decided.reasons)


async def wait_for_administrator(tx: Tx, review_id: UUID, cause: str, score: float, reasons: Sequence[Finding]) -> None:
    """Put it in the queue; what is said of one that waits already is replaced."""
    said = {"cause": cause, "score": score, "reasons": [asdict(one) for one in reasons]}
    row = upsert(QueuedReview).values(review_id=review_id, **said)
    await tx.execute(row.on_conflict_do_update(index_elements=["review_id"], set_=said))


async def was_refused(tx: Tx, review_id: UUID) -> bool:
    """Whether the last decision of an administrator about it was against it."""
    last = (
        select(ReviewDecision.decision)
        .where(ReviewDecision.review_id == review_id, ReviewDecision.decided_by.is_not(None))
        .order_by(ReviewDecision.decision_id.desc())
        .limit(1)
    )
    decision: str | None = await tx.scalar(last)
    return decision == "rejected"


def _payload(product_id: UUID, seller_id: UUID, rating: int) -> dict[str, Any]:  # Any: ids and numbers
    return {"productId": product_id, "sellerId": seller_id, "rating": rating}
