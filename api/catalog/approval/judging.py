"""Judge a product that is to be sold, as a part of the save that makes it necessary."""

from dataclasses import asdict
from uuid import UUID

import orjson
from sqlalchemy import delete, insert, update

from api.catalog.approval.models import ProductDecision, QueuedProduct
from api.catalog.approval.queries import case_of
from api.catalog.approval.rules import in_words, judge
from api.catalog.approval.schemas import Decided
from api.catalog.approval.statements import QUEUE
from api.catalog.models import Product
from api.catalog.schemas import ProductIn, ProductPatch, Status
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.ids import new_id

# What buyers see of a product: a save of anything else is not judged.
MATERIAL = frozenset(
    {"title", "description", "category", "brand", "price", "images", "specifications", "condition", "translations"}
)
# The same of a variant.
MATERIAL_OF_VARIANT = frozenset({"attributes", "price", "gtin"})


def is_material(body: ProductIn | ProductPatch, fields: frozenset[str]) -> bool:
    """Whether a save of these fields may change what buyers see."""
    sent = {name for variant in body.variants for name in variant.model_fields_set}
    return bool(fields & MATERIAL or sent & MATERIAL_OF_VARIANT)


def wanted_status(current: Status | None, asked: Status | None) -> Status:
    """What a save makes of a product before it is judged: `active` is what its seller wants to sell. `current` None:
    there is none yet; `asked` None: as it was.

    Raises: ValidationFailed for a rejection, which is no seller's to say; what was rejected may be saved as that.
    """
    if asked == "rejected" and current != "rejected":
        wrong = FieldError(pointer="/status", message="only administrators reject; say draft, active or inactive")
        raise ValidationFailed("The status is not a seller's to set.", errors=[wrong])
    wanted = asked or current or "active"
    return "active" if wanted == "pending_review" else wanted


async def settle(tx: Tx, ctx: Context, product_id: UUID, version: int) -> Status:
    """Judge a product whose locked row says that it is on sale; it is, or waits in the queue. Returns which."""
    case = await case_of(tx, product_id)
    judgement = judge(case.facts, ctx.settings.approval_score, case.approved)
    decision: Decided = "queued" if judgement.waits else "approved"
    findings = [asdict(finding) for finding in judgement.findings]
    if judgement.waits:
        values = {
            "product_id": product_id,
            "seller_id": case.seller_id,
            "unverified": not case.facts.verified,
            "score": judgement.score,
            "findings": orjson.dumps(findings).decode(),
        }
        await tx.execute(update(Product).where(Product.product_id == product_id).values(status="pending_review"))
        await tx.execute(QUEUE, values)
    elif case.decided is not None and case.decided[0] == "queued":
        await leave_queue(tx, product_id)
    if (decision, findings) != case.decided:
        reason = in_words(judgement.findings) if judgement.waits else None
        said = {"decision": decision, "reason": reason, "score": judgement.score, "findings": findings}
        await record(tx, product_id, version, **said)
    return "pending_review" if judgement.waits else "active"


async def leave_queue(tx: Tx, product_id: UUID) -> None:
    """The product does not wait any more; one that did not is left alone."""
    await tx.execute(delete(QueuedProduct).where(QueuedProduct.product_id == product_id))


async def record(tx: Tx, product_id: UUID, version: int, **decided: object) -> UUID:
    """Add a decision about a version; returns its id."""
    decision_id = new_id()
    values = {"decision_id": decision_id, "product_id": product_id, "version": version, **decided}
    await tx.execute(insert(ProductDecision).values(values))
    return decision_id
