"""Decide about products that wait.

A decision of an administrator is about the version that they saw: whoever comes second, seller or administrator, is
told.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import func, select, update

from api.catalog.approval.errors import AlreadyDecided, NothingToDecide, SellerNotVerified
from api.catalog.approval.judging import leave_queue, record, settle
from api.catalog.approval.models import QueuedProduct
from api.catalog.approval.queries import case_of, ruling_of
from api.catalog.approval.rules import judge
from api.catalog.approval.schemas import Decided, Decision, DecisionIn
from api.catalog.commands.keeping import Change, keep_first_versions, keep_versions
from api.catalog.errors import ProductChanged, ProductNotFound
from api.catalog.models import Product
from api.catalog.pages import product_tag
from api.catalog.schemas import Status
from api.kernel.actor import SHOP, Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.feeds import announce_soon
from api.kernel.outbox import Event
from api.sellers.queries import is_verified

# Says that something was decided about a product, so that its seller is told.
DECIDED = "ProductDecided"
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Locked:
    """A locked product as it is before the decision."""

    seller_id: UUID
    version: int
    status: Status


async def decide(ctx: Context, actor: Actor, product_id: UUID, body: DecisionIn) -> Decision:
    """Let a product that waits be sold, or do not. The same decision again is the same one.

    Raises: Forbidden; ProductNotFound; AlreadyDecided (409), by another administrator or otherwise; ProductChanged
    (412) when there is a newer version; NothingToDecide, SellerNotVerified (409).
    """
    wanted: Decided = "approved" if body.decision == "approve" else "rejected"

    async def work(tx: Tx) -> Decision:
        row = await _locked(tx, product_id)
        made = await ruling_of(tx, actor, product_id, body.version)
        if made is None:
            if row.version != body.version:
                raise ProductChanged("The seller has changed it: look at its newest version.")
            if row.status != "pending_review":
                raise NothingToDecide("Only what waits in the queue is decided.")
            await _rule(tx, actor, product_id, row, decision=wanted, reason=body.reason)
            made = await ruling_of(tx, actor, product_id, body.version)
        if made is None or not made.own or (made.body.decision, made.body.reason) != (wanted, body.reason):
            raise AlreadyDecided("Read the queue again.", extra={"decision": made.body.decision if made else None})
        return made.body

    decision = await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))
    return decision


async def take_down_in(tx: Tx, actor: Actor, product_id: UUID, reason: str) -> None:
    """Take a product off sale in the caller's transaction; whatever its status, an administrator approves it before it
    is sold again. Its seller is not told here.

    Raises: ProductNotFound, also for a deleted one.
    """
    row = await _locked(tx, product_id)
    await _rule(tx, actor, product_id, row, decision="removed", reason=reason, told=False)


async def restore_in(tx: Tx, actor: Actor, product_id: UUID, version: int, reason: str) -> None:
    """Let a product that was taken off sale be sold again, in the caller's transaction; one that its seller has taken
    off sale stays so. Its seller is not told here.

    Raises: ProductNotFound, also for a deleted one; ProductChanged (412) when there is a newer version;
    SellerNotVerified.
    """
    row = await _locked(tx, product_id)
    if row.version != version:
        raise ProductChanged("The seller has changed it: look at its newest version.")
    await _rule(tx, actor, product_id, row, decision="approved", reason=reason, told=False)


async def judge_verified(ctx: Context) -> int:
    """Judge what waited for its seller's verification; returns how many products."""
    async with ctx.db.read() as read:
        due = [row[0] for row in await read.all(_VERIFIED)]
    for product_id in due:
        await ctx.db.run(partial(_judge_again, ctx, product_id))
    if due:
        await announce_soon(ctx.redis, tuple(map(product_tag, due)))
    return len(due)


_VERIFIED = (
    select(QueuedProduct.product_id)
    .where(QueuedProduct.unverified, is_verified(QueuedProduct.seller_id))
    .order_by(QueuedProduct.queued_at)
    .limit(AT_ONCE)
)


async def _judge_again(ctx: Context, product_id: UUID, tx: Tx) -> None:
    with suppress(ProductNotFound):
        row = await _locked(tx, product_id)
        if row.status == "pending_review":
            await _set_status(tx, product_id, row, "active")
            await settle(tx, ctx, product_id, row.version + 1)
            await _keep(tx, SHOP, product_id, row)


async def _rule(
    tx: Tx,
    actor: Actor,
    product_id: UUID,
    row: _Locked,
    *,
    decision: Decided,
    reason: str | None,
    told: bool = True,
) -> None:
    """Write what an administrator decided about a locked product, with what the rules found. `told`: its seller is."""
    case = await case_of(tx, product_id)
    if decision == "approved" and not case.facts.verified:
        raise SellerNotVerified("It is judged again when its seller is verified.")
    judgement = judge(case.facts, 0, case.approved)
    findings = [asdict(finding) for finding in judgement.findings]
    said = {"decision": decision, "reason": reason, "score": judgement.score, "findings": findings}
    decision_id = await record(tx, product_id, row.version, **said, decided_by=actor.user_id)
    await leave_queue(tx, product_id)
    payload = {"sellerId": row.seller_id, "version": row.version, "decision": decision, "decisionId": decision_id}
    events = (Event("product", product_id, DECIDED, payload),) if told else ()
    status = _status_after(decision, row.status)
    if status != row.status:
        await _set_status(tx, product_id, row, status)
        await _keep(tx, actor, product_id, row, *events)


def _status_after(decision: Decided, status: Status) -> Status:
    """What its seller does not sell now stays so: the decision is asked for when it is to be sold."""
    if decision == "approved":
        return "active" if status in ("pending_review", "rejected") else status
    return "rejected" if status in ("active", "pending_review") else status


async def _set_status(tx: Tx, product_id: UUID, row: _Locked, status: Status) -> None:
    values = {"status": status, "version": row.version + 1, "updated_at": func.now()}
    await tx.execute(update(Product).where(Product.product_id == product_id).values(values))


async def _keep(tx: Tx, actor: Actor, product_id: UUID, row: _Locked, *events: Event) -> None:
    payload = {"sellerId": row.seller_id, "version": row.version + 1, "fields": ["status"]}
    changed = Event("product", product_id, "ProductChanged", payload)
    await keep_versions(tx, Change.by(actor), [product_id], changed, *events)


async def _locked(tx: Tx, product_id: UUID) -> _Locked:
    own = (Product.product_id == product_id, Product.deleted_at.is_(None))
    columns = (Product.seller_id, Product.version, Product.status)
    row = await tx.first_as(_Locked, select(*columns).where(*own).with_for_update())
    if row is None:
        raise ProductNotFound("There is no product with this id.")
    await keep_first_versions(tx, [product_id])
    return row
