"""Judge a review as a part of the save that makes it necessary, and keep what was found and decided."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import Uuid, bindparam, exists, select

from api.kernel.context import Context
from api.kernel.db import Query, Result, Tx
from api.kernel.errors import Forbidden
from api.kernel.ids import new_id
from api.kernel.outbox import Event, events_part
from api.kernel.statement import OPEN_GATE, Part, compose
from api.reviews.events import AGGREGATE
from api.reviews.judging.evidence import Case, Evidence, facts_of
from api.reviews.judging.likeness import bands
from api.reviews.judging.mood import mood
from api.reviews.judging.rules import Decision, Finding, Thresholds, Verdict, judge
from api.reviews.judging.statements import decide_part, leave_part, sign_part, wait_part
from api.reviews.moderation.models import BuyersOnly, ReviewDecision

STATUS_OF: dict[Decision, str] = {"publish": "published", "queue": "queued", "reject": "rejected"}
# Says that something was decided about a review, so that its author is told.
JUDGED = "ReviewJudged"
# An administrator's rejection is not undone by an edit: somebody looks again.
REFUSED = Finding("refused", 0.5, "An administrator rejected it before.")
# Whether the product's seller takes reviews of it from those only who received it.
BUYERS_ONLY = exists().where(
    BuyersOnly.subject_id.in_([bindparam("product_id", type_=Uuid), bindparam("seller_id", type_=Uuid)])
)
_LAST_RULING = (
    select(ReviewDecision.decision)
    .where(ReviewDecision.review_id == bindparam("review_id", type_=Uuid), ReviewDecision.decided_by.is_not(None))
    .order_by(ReviewDecision.decision_id.desc())
    .limit(1)
)


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


def judged(ctx: Context, one: Case, found: Evidence, *, refused: bool = False) -> Verdict:
    """What the rules say of it. `refused`: an administrator's last decision about it was against it."""
    language = one.language or ctx.settings.languages.own
    facts = facts_of(one, found, mood(one.text, language), ctx.settings.languages.known)
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


def filed(one: Case, verdict: Verdict, *, version: int, cause: str) -> tuple[list[Part], Event]:
    """For the statement that writes a review: what keeps its signals, what the rules decided, and its place in the
    queue, with the event that tells of the decision."""
    signed = None if one.signature is None else list(one.signature)
    signal = {
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
    decided = Decided(one.review_id, version, cause, STATUS_OF[verdict.decision], verdict.score, verdict.reasons)
    about = {"productId": one.product_id, "sellerId": one.seller_id, "rating": one.rating}
    parts, event = _decided(decided, about)
    return [sign_part(signal), *parts], event


async def record(tx: Tx, decided: Decided, about: Mapping[str, object]) -> None:
    """Add a decision to the journal, put the review in the queue or take it out, and tell of it. `about`: what the
    event says of the review."""
    parts, event = _decided(decided, about)
    await tx.execute(*compose([OPEN_GATE, *parts, events_part([event])], "1"))


async def wait_for_administrator(tx: Tx, review_id: UUID, cause: str, score: float, reasons: Sequence[Finding]) -> None:
    """Put it in the queue; what is said of one that waits already is replaced."""
    part = wait_part(review_id, cause, score, [asdict(one) for one in reasons])
    await tx.execute(*compose([OPEN_GATE, part], "1"))


def refused_query(review_id: UUID) -> Query[bool]:
    """Whether the last decision of an administrator about it was against it."""
    return Query(_LAST_RULING, {"review_id": review_id}, _is_refused)


def _is_refused(result: Result) -> bool:
    return [row[0] for row in result.rows] == ["rejected"]


def _decided(decided: Decided, about: Mapping[str, object]) -> tuple[list[Part], Event]:
    decision_id, reasons = new_id(), [asdict(one) for one in decided.reasons]
    row = {
        "decision_id": decision_id,
        "review_id": decided.review_id,
        "version": decided.version,
        "cause": decided.cause,
        "decision": decided.decision,
        "score": decided.score,
        "reasons": reasons,
        "statement": decided.statement,
        "decided_by": decided.decided_by,
    }
    place = (
        wait_part(decided.review_id, decided.cause, decided.score, reasons)
        if decided.decision == "queued"
        else leave_part(decided.review_id, decided.decided_by)
    )
    told = {**about, "status": decided.decision, "decisionId": decision_id}
    return [decide_part(row), place], Event(AGGREGATE, decided.review_id, JUDGED, told)
