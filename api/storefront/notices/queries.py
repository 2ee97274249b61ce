"""Reads of reports about products: by their reporters, by administrators, and by sellers of what was decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Text, Uuid, any_, bindparam, cast, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from api.catalog.approval.queries import labels_of
from api.catalog.errors import ProductNotFound
from api.kernel.actor import Actor, require_administrator
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams
from api.storefront.notices.errors import DecisionNotFound, ReportNotFound
from api.storefront.notices.models import DecisionObjection, ProductReport, ReportDecision
from api.storefront.notices.numbers import report_number
from api.storefront.notices.schemas import (
    KeptOrRemoved,
    Objection,
    OpenObjection,
    OwnDecision,
    ProductReportBody,
    ReportBody,
    ReportDecisionBody,
    ReportedProduct,
    ReportReason,
)


@dataclass(frozen=True, slots=True)
class Decided:
    """A row of `report_decisions`."""

    decision_id: UUID
    product_id: UUID
    seller_id: UUID
    seen: str | None
    reports: int
    contested: UUID | None
    decision: KeptOrRemoved
    statement: str
    decided_by: UUID
    created_at: datetime

    def body(self) -> ReportDecisionBody:
        return ReportDecisionBody(
            decision_id=self.decision_id,
            product_id=self.product_id,
            reports=self.reports,
            contested=self.contested,
            decision=self.decision,
            statement=self.statement,
            created_at=self.created_at,
        )


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who is told of a report's receipt or of a decision: a member, or an address."""

    report_id: UUID
    product_id: UUID
    decision_id: UUID | None
    reporter_id: UUID | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Contested:
    """What a seller said against a decision."""

    decision_id: UUID
    product_id: UUID
    seller_id: UUID
    comment: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Report:
    """A report with what was decided last of it."""

    report_id: UUID
    product_id: UUID
    reason: ReportReason
    comment: str
    law: str | None
    created_at: datetime
    decision: KeptOrRemoved | None
    statement: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class _ProductReport:
    report_id: UUID
    reason: ReportReason
    comment: str
    law: str | None
    by_member: bool
    times: int
    open: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Reported:
    """A product's open reports. `reasons`: of each report."""

    product_id: UUID
    reports: int
    reasons: list[ReportReason]
    first_report_at: datetime
    seen: str


_DECISION = [getattr(ReportDecision, name) for name in Decided.__slots__]
_OBJECTION = [getattr(DecisionObjection, name) for name in Contested.__slots__]
_OPEN = ProductReport.decision_id.is_(None)
# What is open of a product: other reports, or one that was said again, are another digest.
_SEEN = func.md5(
    func.string_agg(
        cast(ProductReport.report_id, Text) + ":" + cast(ProductReport.times, Text),
        aggregate_order_by(literal(" "), ProductReport.report_id),
    )
)
_FIRST = func.min(ProductReport.created_at)
_TAKE = bindparam("take", type_=Integer)
_AFTER = tuple_(bindparam("after_time", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid))
_REPORTED = (
    select(
        ProductReport.product_id,
        func.count().label("reports"),
        func.array_agg(ProductReport.reason).label("reasons"),
        _FIRST.label("first_report_at"),
        _SEEN.label("seen"),
    )
    .where(_OPEN)
    .group_by(ProductReport.product_id)
    .order_by(_FIRST, ProductReport.product_id)
    .limit(_TAKE)
)
_REPORTED_AFTER = _REPORTED.having(tuple_(_FIRST, ProductReport.product_id) > _AFTER)
_SEEN_OF = select(_SEEN).where(ProductReport.product_id == bindparam("product_id", type_=Uuid), _OPEN)
_LAST = aliased(ReportDecision)
_REPORT = (
    select(
        ProductReport.report_id,
        ProductReport.product_id,
        ProductReport.reason,
        ProductReport.comment,
        ProductReport.law,
        ProductReport.created_at,
        func.coalesce(_LAST.decision, ReportDecision.decision).label("decision"),
        func.coalesce(_LAST.statement, ReportDecision.statement).label("statement"),
        func.coalesce(_LAST.created_at, ReportDecision.created_at).label("decided_at"),
    )
    .outerjoin(ReportDecision, ReportDecision.decision_id == ProductReport.decision_id)
    .outerjoin(_LAST, _LAST.contested == ReportDecision.decision_id)
    .where(ProductReport.report_id == bindparam("report_id", type_=Uuid))
)
_PRODUCT_REPORT = (
    ProductReport.report_id,
    ProductReport.reason,
    ProductReport.comment,
    ProductReport.law,
    ProductReport.reporter_id.is_not(None).label("by_member"),
    ProductReport.times,
    _OPEN.label("open"),
    ProductReport.created_at,
)
_REPORTER = select(*(getattr(ProductReport, name) for name in Reporter.__slots__))
_IDS = bindparam("ids", type_=ARRAY(Uuid))
_NO_OUTCOME = ~select(_LAST.decision_id).where(_LAST.contested == DecisionObjection.decision_id).exists()


async def report_of(tx: ReadTx, report_id: UUID | None) -> ReportBody:
    """A report for whoever has its token. Raises: ReportNotFound."""
    row = None if report_id is None else await tx.first_as(_Report, _REPORT, {"report_id": report_id})
    if row is None:
        raise ReportNotFound("No report has this token.")
    labels = await labels_of(tx, [row.product_id])
    return ReportBody(
        number=report_number(row.report_id),
        product_id=row.product_id,
        title=labels[row.product_id].title,
        reason=row.reason,
        comment=row.comment,
        law=row.law,
        state="open" if row.decision is None else "kept" if row.decision == "keep" else "removed",
        statement=row.statement,
        created_at=row.created_at,
        decided_at=row.decided_at,
    )


async def reported(
    tx: ReadTx, actor: Actor, page: PageParams, after: tuple[datetime, UUID] | None
) -> tuple[list[ReportedProduct], bool]:
    """Products with open reports, those that have waited longest first, and whether there are more. Raises:
    Forbidden."""
    require_administrator(actor)
    rows = await tx.all_as(_Reported, _REPORTED if after is None else _REPORTED_AFTER, _place(page, after))
    shown = rows[: page.limit]
    labels = await labels_of(tx, [row.product_id for row in shown])
    products = [
        ReportedProduct(
            product_id=row.product_id,
            seller_id=labels[row.product_id].seller_id,
            title=labels[row.product_id].title,
            status=labels[row.product_id].status,
            reports=row.reports,
            reasons=_counted(row.reasons),
            first_report_at=row.first_report_at,
            seen=row.seen,
        )
        for row in shown
    ]
    return products, len(rows) > page.limit


async def reports_of(
    tx: ReadTx, actor: Actor, product_id: UUID, page: PageParams, before: UUID | None
) -> tuple[list[ProductReportBody], UUID | None]:
    """All reports of a product, the newest first, and the id of the last when there are more. Raises: Forbidden;
    ProductNotFound."""
    require_administrator(actor)
    if not await labels_of(tx, [product_id]):
        raise ProductNotFound("There is no product with this id.")
    statement = select(*_PRODUCT_REPORT).where(ProductReport.product_id == product_id)
    if before is not None:
        statement = statement.where(ProductReport.report_id < before)
    ordered = statement.order_by(ProductReport.report_id.desc()).limit(page.limit + 1)
    rows = await tx.all_as(_ProductReport, ordered)
    bodies = [
        ProductReportBody(
            number=report_number(row.report_id),
            reason=row.reason,
            comment=row.comment,
            law=row.law,
            by_member=row.by_member,
            times=row.times,
            open=row.open,
            created_at=row.created_at,
        )
        for row in rows[: page.limit]
    ]
    return bodies, rows[page.limit - 1].report_id if len(rows) > page.limit else None


async def seen_now(tx: ReadTx, actor: Actor, product_id: UUID) -> str | None:
    """The digest of a product's open reports, None without any. Raises: Forbidden."""
    require_administrator(actor)
    found: str | None = await tx.scalar(_SEEN_OF, {"product_id": product_id})
    return found


async def decision_about(tx: ReadTx, actor: Actor, product_id: UUID, seen: str) -> Decided | None:
    """What an administrator decided about the reports of a digest. Raises: Forbidden."""
    require_administrator(actor)
    of = (ReportDecision.product_id == product_id, ReportDecision.seen == seen)
    return await tx.first_as(Decided, select(*_DECISION).where(*of))


async def outcome_of(tx: ReadTx, actor: Actor, decision_id: UUID) -> Decided | None:
    """What an administrator decided about the objection to a decision. Raises: Forbidden."""
    require_administrator(actor)
    return await tx.first_as(Decided, select(*_DECISION).where(ReportDecision.contested == decision_id))


async def contested_by(tx: ReadTx, actor: Actor, decision_id: UUID) -> Contested:
    """The objection to a decision, for administrators. Raises: Forbidden; DecisionNotFound."""
    require_administrator(actor)
    row = await tx.first_as(Contested, select(*_OBJECTION).where(DecisionObjection.decision_id == decision_id))
    if row is None:
        raise DecisionNotFound
    return row


async def open_objections(
    tx: ReadTx, actor: Actor, page: PageParams, after: tuple[datetime, UUID] | None
) -> tuple[list[OpenObjection], bool]:
    """Objections that wait for an administrator, the oldest first, and whether there are more. Raises: Forbidden."""
    require_administrator(actor)
    statement = select(*_OBJECTION).where(_NO_OUTCOME)
    place = (DecisionObjection.created_at, DecisionObjection.decision_id)
    if after is not None:
        statement = statement.where(tuple_(*place) > _AFTER)
    rows = await tx.all_as(Contested, statement.order_by(*place).limit(_TAKE), _place(page, after))
    shown = rows[: page.limit]
    labels = await labels_of(tx, {row.product_id for row in shown})
    decisions = await _decisions(tx, [row.decision_id for row in shown])
    waiting = [
        OpenObjection(
            decision_id=row.decision_id,
            product_id=row.product_id,
            seller_id=row.seller_id,
            title=labels[row.product_id].title,
            status=labels[row.product_id].status,
            version=labels[row.product_id].version,
            statement=decisions[row.decision_id].statement,
            comment=row.comment,
            created_at=row.created_at,
        )
        for row in shown
    ]
    return waiting, len(rows) > page.limit


async def own_decisions(
    tx: ReadTx, actor: Actor, page: PageParams, after: tuple[datetime, UUID] | None
) -> tuple[list[OwnDecision], bool]:
    """What was decided about reports of the seller's products, the newest first, each with what became of the seller's
    objection; and whether there is more."""
    statement = select(*_DECISION).where(ReportDecision.seller_id == actor.user_id, ReportDecision.contested.is_(None))
    place = (ReportDecision.created_at, ReportDecision.decision_id)
    if after is not None:
        statement = statement.where(tuple_(*place) < _AFTER)
    newest = statement.order_by(*(one.desc() for one in place)).limit(_TAKE)
    rows = await tx.all_as(Decided, newest, _place(page, after))
    return await _owned(tx, actor, rows[: page.limit]), len(rows) > page.limit


async def own_decision(tx: ReadTx, actor: Actor, decision_id: UUID) -> OwnDecision:
    """One of them. Raises: DecisionNotFound, also for another seller's."""
    return (await _owned(tx, actor, [await own_row(tx, actor, decision_id)]))[0]


async def own_row(tx: ReadTx, actor: Actor, decision_id: UUID) -> Decided:
    """A decision about reports of one of the seller's products. Raises: DecisionNotFound."""
    of = (ReportDecision.decision_id == decision_id, ReportDecision.seller_id == actor.user_id)
    row = await tx.first_as(Decided, select(*_DECISION).where(*of))
    if row is None:
        raise DecisionNotFound
    return row


async def reporters_of(tx: ReadTx, decision_ids: Iterable[UUID]) -> list[Reporter]:
    """Who reported what was decided, for the mail that the worker sends them."""
    return await tx.all_as(Reporter, _REPORTER.where(ProductReport.decision_id == any_(_IDS)), {"ids": [*decision_ids]})


async def who_reported(tx: ReadTx, report_ids: Iterable[UUID]) -> list[Reporter]:
    """The reporters of these reports, for the same."""
    return await tx.all_as(Reporter, _REPORTER.where(ProductReport.report_id == any_(_IDS)), {"ids": [*report_ids]})


async def decisions_by_id(tx: ReadTx, decision_ids: Iterable[UUID]) -> dict[UUID, Decided]:
    """Decisions, for the same."""
    return await _decisions(tx, list(decision_ids))


async def _owned(tx: ReadTx, actor: Actor, rows: Sequence[Decided]) -> list[OwnDecision]:
    asked = {"ids": [row.decision_id for row in rows]}
    labels = await labels_of(tx, {row.product_id for row in rows})
    mine = (DecisionObjection.decision_id == any_(_IDS), DecisionObjection.seller_id == actor.user_id)
    said = {one.decision_id: one for one in await tx.all_as(Contested, select(*_OBJECTION).where(*mine), asked)}
    about = select(*_DECISION).where(ReportDecision.contested == any_(_IDS))
    outcomes = {one.contested: one.body() for one in await tx.all_as(Decided, about, asked)}
    given = select(ProductReport.decision_id, ProductReport.reason).where(ProductReport.decision_id == any_(_IDS))
    reasons = [(row[0], row[1]) for row in await tx.all(given, asked)]
    return [
        OwnDecision(
            decision_id=row.decision_id,
            product_id=row.product_id,
            title=labels[row.product_id].title,
            reports=row.reports,
            reasons=_counted([reason for decision_id, reason in reasons if decision_id == row.decision_id]),
            decision=row.decision,
            statement=row.statement,
            created_at=row.created_at,
            contestable=row.decision == "remove" and row.decision_id not in said,
            objection=_objection(said.get(row.decision_id), outcomes.get(row.decision_id)),
        )
        for row in rows
    ]


def _objection(said: Contested | None, outcome: ReportDecisionBody | None) -> Objection | None:
    if said is None:
        return None
    return Objection(comment=said.comment, created_at=said.created_at, outcome=outcome)


async def _decisions(tx: ReadTx, decision_ids: list[UUID]) -> dict[UUID, Decided]:
    asked = select(*_DECISION).where(ReportDecision.decision_id == any_(_IDS))
    return {row.decision_id: row for row in await tx.all_as(Decided, asked, {"ids": decision_ids})}


def _place(page: PageParams, after: tuple[datetime, UUID] | None) -> dict[str, Any]:  # Any: values of several types
    place = {} if after is None else {"after_time": after[0], "after_id": after[1]}
    return {"take": page.limit + 1, **place}


def _counted(reasons: Sequence[ReportReason]) -> dict[ReportReason, int]:
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}
