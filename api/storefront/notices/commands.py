"""Report a product, decide about its reports, object to a decision, and decide about that.

Anybody reports, guests too, so many an hour. An administrator's decision is about exactly the reports that they saw.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import String, Uuid, bindparam, func, insert, select, update

from api.catalog.approval.commands import restore_in, take_down_in
from api.catalog.approval.queries import labels_of
from api.catalog.errors import ProductNotFound
from api.catalog.pages import product_tag
from api.catalog.queries.products import require_visible
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, TooManyRequests, ValidationFailed
from api.kernel.feeds import announce_soon
from api.kernel.ids import new_id
from api.mail.tokens import id_of, token_of
from api.storefront.notices.errors import (
    AlreadyContested,
    NotContestable,
    OwnProduct,
    ReportNotFound,
    ReportsChanged,
    ReportsDecided,
)
from api.storefront.notices.models import DecisionObjection, ProductReport, ReportDecision
from api.storefront.notices.numbers import report_number
from api.storefront.notices.queries import (
    Decided,
    contested_by,
    decision_about,
    outcome_of,
    own_decision,
    own_row,
    report_of,
    seen_now,
)
from api.storefront.notices.schemas import (
    ObjectionDecisionIn,
    ObjectionIn,
    OwnDecision,
    ProductReportIn,
    ReportBody,
    ReportDecisionBody,
    ReportDecisionIn,
    ReportReceipt,
)

# How often one reporter says the same of one product. What one reporter, and one address, report in an hour, and all
# guests together of one product: a guest may be anybody again.
MOST_TIMES, MOST_AN_HOUR, MOST_OF_ADDRESS, MOST_OF_GUESTS = 5, 20, 5, 50
HOUR = timedelta(hours=1)
# Say that something was reported, and that something was decided, so that those concerned are told.
REPORTED, REPORTS_DECIDED = "ProductReported", "ProductReportsDecided"
_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), 0)))
_RECENT = ProductReport.created_at > func.now() - HOUR
_PRODUCT = ProductReport.product_id == bindparam("product_id", type_=Uuid)
_REPORTER = ProductReport.reporter == bindparam("reporter")
_OPEN = ProductReport.decision_id.is_(None)
_MINE = select(func.count()).where(_REPORTER, _RECENT)
_OF_ADDRESS = select(func.count()).where(ProductReport.email == bindparam("email"), _RECENT)
_OF_GUESTS = select(func.count()).where(_PRODUCT, ProductReport.reporter_id.is_(None), _RECENT)


@dataclass(frozen=True, slots=True)
class _Said:
    """A report that is open."""

    report_id: UUID
    reason: str
    comment: str
    law: str | None
    email: str | None
    times: int
    created_at: datetime


_SAID = select(*(getattr(ProductReport, name) for name in _Said.__slots__)).where(_PRODUCT, _REPORTER, _OPEN)


async def report(ctx: Context, actor: Actor, product_id: UUID, body: ProductReportIn) -> ReportReceipt:
    """Tell the administrators what is wrong with a product. While nothing is decided, a second report of the actor's
    joins the first: its words replace the first one's, and the receipt is the same.

    Raises: ValidationFailed for a guest without an address; ProductNotFound; OwnProduct; TooManyRequests.
    """
    if not actor.signed_in and body.email is None:
        wrong = FieldError(pointer="/email", message="give an address, so that you are told what became of it")
        raise ValidationFailed("A guest says where to be told.", errors=[wrong])
    email = None if actor.signed_in else body.email
    reporter = hashlib.sha256(actor.key.encode()).hexdigest()
    own: dict[str, Any] = {"product_id": product_id, "reporter": reporter}  # Any: values of several types
    said = {"reason": body.reason, "comment": body.comment, "law": body.law, "email": email}

    async def work(tx: Tx) -> tuple[UUID, datetime]:
        await require_visible(tx, actor, product_id)
        if await _seller_of(tx, product_id) == actor.user_id:
            raise OwnProduct("Change it, or take it off sale.")
        # What is counted: two requests at once cannot both be the last that is allowed. Nor is the product decided now.
        for name in (f"reporter:{reporter}", *([] if email is None else [f"mailed:{email}"]), f"reports:{product_id}"):
            await tx.execute(_LOCK, {"name": name})
        known = await tx.first_as(_Said, _SAID, own)
        if known is not None:
            await _join(tx, known, said)
            return known.report_id, known.created_at
        await _require_patience(tx, reporter, product_id, email)
        row = {"report_id": new_id(), "reporter_id": actor.user_id, **own, **said}
        created_at: datetime = await tx.scalar(insert(ProductReport).values(row).returning(ProductReport.created_at))
        payload = {"reportId": row["report_id"], "productId": product_id}
        await outbox.emit(tx, "product_report", row["report_id"], REPORTED, payload)
        return row["report_id"], created_at

    report_id, created_at = await ctx.db.run(work)
    token = token_of(ctx.keys, report_id)
    return ReportReceipt(number=report_number(report_id), token=token, product_id=product_id, created_at=created_at)


async def look_up(ctx: Context, token: str) -> ReportBody:
    """What became of the report of a token. Raises: ReportNotFound."""
    async with ctx.db.read() as tx:
        return await report_of(tx, id_of(ctx.keys, token))


async def decide(ctx: Context, actor: Actor, product_id: UUID, body: ReportDecisionIn) -> ReportDecisionBody:
    """Close a product's open reports, and take it off sale, or do not. The same decision again is the same one.

    Raises: Forbidden; ReportNotFound, without open reports; ReportsChanged (409), when they are others than were seen;
    ReportsDecided (409), by another administrator or otherwise.
    """

    async def work(tx: Tx) -> Decided:
        await tx.execute(_LOCK, {"name": f"reports:{product_id}"})
        made = await decision_about(tx, actor, product_id, body.seen)
        if made is not None:
            return _same(made, actor, body)
        seen = await seen_now(tx, actor, product_id)
        if seen is None:
            raise ReportNotFound("The product has no open report.")
        if seen != body.seen:
            raise ReportsChanged("Read the product's reports again.")
        return await _close(tx, actor, product_id, body)

    decided = await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))
    return decided.body()


async def object_to(ctx: Context, actor: Actor, decision_id: UUID, body: ObjectionIn) -> OwnDecision:
    """Say, once, why a product should not have been taken off sale; the same again is that once.

    Raises: DecisionNotFound, also for another seller's; NotContestable, AlreadyContested (409).
    """

    async def work(tx: Tx) -> OwnDecision:
        await tx.execute(_LOCK, {"name": f"objection:{decision_id}"})
        row = await own_row(tx, actor, decision_id)
        if row.decision != "remove" or row.contested is not None:
            raise NotContestable("Only a decision about reports that took a product off sale is contested, and once.")
        own = await own_decision(tx, actor, decision_id)
        if own.objection is None:
            values = {"decision_id": decision_id, "product_id": row.product_id, "seller_id": actor.user_id}
            await tx.execute(insert(DecisionObjection).values(**values, comment=body.comment))
            return await own_decision(tx, actor, decision_id)
        if own.objection.comment != body.comment:
            raise AlreadyContested("A decision is contested once.")
        return own

    return await ctx.db.run(work)


async def decide_objection(
    ctx: Context, actor: Actor, decision_id: UUID, body: ObjectionDecisionIn
) -> ReportDecisionBody:
    """Let what was taken off sale be sold again, or leave it, after its seller has objected. The same decision again is
    the same one.

    Raises: Forbidden; DecisionNotFound, without an objection; ReportsDecided (409), by another administrator or
    otherwise; ProductChanged (412), when what would be sold is not what was seen; SellerNotVerified (409).
    """

    async def work(tx: Tx) -> Decided:
        await tx.execute(_LOCK, {"name": f"objection:{decision_id}"})
        objection = await contested_by(tx, actor, decision_id)
        made = await outcome_of(tx, actor, decision_id)
        if made is not None:
            return _same(made, actor, body)
        if body.decision == "keep":
            with suppress(ProductNotFound):  # its seller has deleted it meanwhile
                await restore_in(tx, actor, objection.product_id, body.version, body.statement)
        about = {"product_id": objection.product_id, "seller_id": objection.seller_id, "reports": 0}
        return await _record(tx, actor, body, {**about, "seen": None, "contested": decision_id})

    decided = await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(decided.product_id),))
    return decided.body()


def _same(made: Decided, actor: Actor, body: ReportDecisionIn | ObjectionDecisionIn) -> Decided:
    """What was decided, if it is what the actor wants to decide. Raises: ReportsDecided."""
    if (made.decided_by, made.decision, made.statement) != (actor.user_id, body.decision, body.statement):
        raise ReportsDecided("Read the decision.", extra={"decision": made.decision})
    return made


async def _join(tx: Tx, known: _Said, said: Mapping[str, object]) -> None:
    """Say an open report again; in the same words it is the same request. Raises: TooManyRequests."""
    if all(getattr(known, name) == value for name, value in said.items()):
        return
    if known.times >= MOST_TIMES:
        raise TooManyRequests(f"You have said it {MOST_TIMES} times: wait for a decision.", retry_after=3_600)
    again = update(ProductReport).where(ProductReport.report_id == known.report_id)
    await tx.execute(again.values(**said, times=known.times + 1))


async def _close(tx: Tx, actor: Actor, product_id: UUID, body: ReportDecisionIn) -> Decided:
    of_product = (ProductReport.product_id == product_id, _OPEN)
    about = {
        "product_id": product_id,
        "seller_id": await _seller_of(tx, product_id),
        "reports": await tx.scalar(select(func.count()).where(*of_product)),
    }
    decided = await _record(tx, actor, body, {**about, "seen": body.seen, "contested": None})
    await tx.execute(update(ProductReport).where(*of_product).values(decision_id=decided.decision_id))
    if body.decision == "remove":
        with suppress(ProductNotFound):  # its seller has deleted it meanwhile
            await take_down_in(tx, actor, product_id, body.statement)
    return decided


async def _record(
    tx: Tx,
    actor: Actor,
    body: ReportDecisionIn | ObjectionDecisionIn,
    about: Mapping[str, Any],  # Any: of columns
) -> Decided:
    """Add a decision, and the event that tells those concerned."""
    said = {"decision": body.decision, "statement": body.statement, "decided_by": actor.user_id}
    row = {"decision_id": new_id(), **about, **said}
    created_at: datetime = await tx.scalar(insert(ReportDecision).values(row).returning(ReportDecision.created_at))
    decided = Decided(**row, created_at=created_at)
    payload = {
        "decisionId": decided.decision_id,
        "productId": decided.product_id,
        "sellerId": decided.seller_id,
        "decision": decided.decision,
    }
    await outbox.emit(tx, "report_decision", decided.decision_id, REPORTS_DECIDED, payload)
    return decided


async def _seller_of(tx: Tx, product_id: UUID) -> UUID:
    return (await labels_of(tx, [product_id]))[product_id].seller_id


async def _require_patience(tx: Tx, reporter: str, product_id: UUID, email: str | None) -> None:
    """Refuse a flood of new reports; `email`: a guest's. Raises: TooManyRequests."""
    mine: int = await tx.scalar(_MINE, {"reporter": reporter})
    if mine >= MOST_AN_HOUR:
        raise TooManyRequests(f"At most {MOST_AN_HOUR} reports an hour are taken of one reporter.", retry_after=600)
    if email is None:
        return
    of_address: int = await tx.scalar(_OF_ADDRESS, {"email": email})
    if of_address >= MOST_OF_ADDRESS:
        raise TooManyRequests(f"At most {MOST_OF_ADDRESS} an hour are taken of an address.", retry_after=600)
    guests: int = await tx.scalar(_OF_GUESTS, {"product_id": product_id})
    if guests >= MOST_OF_GUESTS:
        raise TooManyRequests("Many guests have reported it: sign in to report it now.", retry_after=600)
