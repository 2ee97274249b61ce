"""Reads of invoices: what is to be written, and what an actor may see of what was."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Numeric,
    Select,
    String,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    exists,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from api.kernel.actor import Actor
from api.kernel.db import ReadTx, Tx
from api.kernel.filters import day_bounds
from api.kernel.pagination import PageParams
from api.orders.errors import InvoiceNotFound, OrderNotFound
from api.orders.invoices.amounts import GivenBack
from api.orders.invoices.models import Invoice
from api.orders.invoices.schemas import InvoiceBody
from api.orders.models import Order, OrderItem, Parcel, Return
from api.orders.queries.access import IS_ADMIN, IS_BUYER, actor_values
from api.orders.queries.lines import TITLE
from api.orders.queries.listing import Position
from api.orders.queries.locked import GIVEN, LINE
from api.orders.queries.privacy import while_seen
from api.orders.returns.returnable import OrderAmounts, OrderLine

_IDS = bindparam("order_ids", type_=ARRAY(Uuid))
# How far back documents are looked for that no event has written.
LATE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Due:
    """An order whose row is locked, and what its documents say of it."""

    order_id: UUID
    order_number: str
    user_id: UUID | None
    currency: str
    country: str
    shipping_address: dict[str, object]
    payment_method: str | None
    total: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping_fee: Decimal
    created_at: datetime
    edits: int
    has_shipped: bool

    @property
    def amounts(self) -> OrderAmounts:
        return OrderAmounts(self.total, self.tax, self.tax_included, self.shipping_fee)


@dataclass(frozen=True, slots=True)
class SoldLine(OrderLine):
    """A line with its words. `edit_id`: of the edit that added it. `sent_to`: where its parcel goes, if not to the
    order's address. `kit`: what it was bought as a part of, as the line keeps it."""

    order_id: UUID
    edit_id: UUID | None
    title: str
    sku: str
    attributes: dict[str, object]
    price: Decimal
    tax_rate: Decimal
    sent_to: dict[str, object] | None
    kit: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class Written:
    """An invoice that is there; `left`: it less its credit notes. `lines`: the ids of those that it bills. `sending`
    and `sending_tax`: what of `left` is of no line, the shipping fee in the first place, and the tax on that."""

    invoice_id: UUID
    order_id: UUID
    seller_id: UUID
    document_number: str
    refunds: list[UUID]
    edition: int
    lines: list[str]
    left: Decimal
    sending: Decimal
    sending_tax: Decimal


@dataclass(frozen=True, slots=True)
class PaidReturn:
    """A return that a refund has paid, or what an edit took off: `refund_id` is None when all of it was set off."""

    order_id: UUID
    refund_id: UUID | None
    edit_id: UUID | None
    back: GivenBack


_LOCK = (
    select(
        Order.order_id,
        Order.order_number,
        Order.user_id,
        Order.currency,
        Order.country,
        Order.shipping_address,
        Order.payment_method,
        Order.total,
        Order.tax,
        Order.tax_included,
        Order.shipping_fee,
        Order.created_at,
        Order.edits,
        exists().where(Parcel.order_id == Order.order_id, Parcel.shipped_at.is_not(None)).label("has_shipped"),
    )
    .where(Order.order_id == any_(_IDS))
    .order_by(Order.order_id)
    .with_for_update()
)
_LINES = (
    select(
        *LINE,
        OrderItem.order_id,
        OrderItem.edit_id,
        TITLE,
        func.coalesce(OrderItem.sku, "").label("sku"),
        OrderItem.attributes,
        OrderItem.price_at_purchase.label("price"),
        func.coalesce(OrderItem.tax_rate, 0).label("tax_rate"),
        Parcel.shipping_address.label("sent_to"),
        OrderItem.kit,
    )
    .outerjoin(Parcel, Parcel.parcel_id == OrderItem.parcel_id)
    .join(GIVEN, true())
    .where(OrderItem.order_id == any_(_IDS))
    .order_by(OrderItem.order_item_id)
)
_NOTE = Invoice.__table__.alias("note")


def _of_no_line(content: ColumnElement[Any], part: str) -> ColumnElement[Decimal]:  # Any: a JSON value
    of = [cast(content[kind][part].astext, Numeric(12, 2)) for kind in ("shipping", "adjustment")]
    return of[0] + of[1]


def _less_notes(said: ColumnElement[Decimal], by_note: ColumnElement[Decimal]) -> ColumnElement[Decimal]:
    """An amount of an invoice, without that of its credit notes."""
    notes = select(func.coalesce(func.sum(by_note), 0)).where(_NOTE.c.invoice_refers_to == Invoice.invoice_id)
    return said - notes.scalar_subquery()


_CONTENT, _OF_NOTE = Invoice.__table__.c.content, _NOTE.c.content
_WRITTEN = (
    select(
        Invoice.invoice_id,
        Invoice.order_id,
        Invoice.seller_id,
        Invoice.document_number,
        Invoice.refunds,
        Invoice.edition,
        func.jsonb_path_query_array(Invoice.content, cast("$.lines[*].id", JSONPATH)).label("lines"),
        _less_notes(Invoice.__table__.c.total, _NOTE.c.total).label("left"),
        _less_notes(_of_no_line(_CONTENT, "net"), _of_no_line(_OF_NOTE, "net")).label("sending"),
        _less_notes(_of_no_line(_CONTENT, "tax"), _of_no_line(_OF_NOTE, "tax")).label("sending_tax"),
    )
    .where(Invoice.order_id == any_(_IDS), Invoice.kind == "invoice")
    .order_by(Invoice.order_id, Invoice.seller_id, Invoice.edition)
)
_NOTED = (
    select(func.coalesce(Invoice.refund_id, Invoice.edit_id))
    .where(Invoice.order_id == any_(_IDS), Invoice.kind == "credit_note")
    .distinct()
)
_RETURNS = (
    select(
        Return.order_id,
        Return.refund_id,
        Return.edit_id,
        Return.order_item_id,
        Return.seller_id,
        Return.quantity,
        func.coalesce(Return.goods_amount, 0),
        func.coalesce(Return.tax_amount, 0),
        func.coalesce(Return.shipping_amount, 0),
        func.coalesce(Return.shipping_tax, 0),
        Return.fee_amount,
    )
    .where(Return.order_id == any_(_IDS), or_(Return.refund_id.is_not(None), Return.edit_id.is_not(None)))
    .order_by(Return.return_id)
)


async def lock_orders(tx: Tx, order_ids: Iterable[UUID]) -> list[Due]:
    """The orders, locked until the transaction ends, in the order of their ids."""
    return await tx.all_as(Due, _LOCK, {"order_ids": sorted(order_ids)})


async def lines_of(tx: Tx, orders: Iterable[Due]) -> list[SoldLine]:
    """The lines of locked orders, with what was given back of each."""
    return await tx.all_as(SoldLine, _LINES, {"order_ids": [order.order_id for order in orders]})


async def written_for(tx: Tx, orders: Iterable[Due]) -> list[Written]:
    """The invoices of locked orders."""
    return await tx.all_as(Written, _WRITTEN, {"order_ids": [order.order_id for order in orders]})


async def noted_causes(tx: Tx, orders: Iterable[Due]) -> set[UUID]:
    """The refunds and edits of locked orders that have their credit notes."""
    return {row[0] for row in await tx.all(_NOTED, {"order_ids": [order.order_id for order in orders]})}


async def paid_returns(tx: Tx, orders: Iterable[Due]) -> list[PaidReturn]:
    """The returns of locked orders that refunds pay, and those that edits set off."""
    values = {"order_ids": [order.order_id for order in orders]}
    return [PaidReturn(row[0], row[1], row[2], GivenBack(*row[3:])) for row in await tx.all(_RETURNS, values)]


_LATE = (
    select(Parcel.order_id)
    .where(
        Parcel.shipped_at > func.now() - LATE,
        Parcel.shipped_at < func.now() - timedelta(minutes=1),
        Parcel.origin == "native",
        ~exists().where(Invoice.order_id == Parcel.order_id),
    )
    .distinct()
    .limit(bindparam("limit", type_=Integer))
)


async def late_orders(tx: ReadTx, limit: int) -> list[UUID]:
    """Orders that were shipped lately and have no invoice, though their event was read."""
    return [row[0] for row in await tx.all(_LATE, {"limit": limit})]


_BODY = (
    Invoice.invoice_id,
    Invoice.document_number.label("number"),
    Invoice.kind,
    Invoice.order_id,
    Invoice.content["order"]["number"].astext.label("order_number"),
    Invoice.seller_id,
    Invoice.content["seller"]["name"].astext.label("seller_name"),
    Invoice.content["issuer"].astext.label("issuer"),
    Invoice.content["isDeemedSupplier"].as_boolean().label("deemed_supplier"),
    Invoice.content["refersTo"].astext.label("refers_to"),
    Invoice.currency,
    Invoice.net,
    Invoice.tax,
    Invoice.total,
    Invoice.content["taxes"].label("taxes"),
    Invoice.issued_at,
    func.concat("/api/v1/orders/", Invoice.order_id.cast(String), "/invoices/", Invoice.document_number, ".pdf").label(
        "pdf"
    ),
)
_SELLER = bindparam("actor_seller", type_=Uuid)
# Whose documents an actor sees: the buyer and an administrator all of an order, a seller their own.
_OWN = Invoice.seller_id == _SELLER
_VISIBLE = or_(IS_BUYER, IS_ADMIN, _OWN)
_OF_ORDER = (
    select(*_BODY)
    .join(Order, Order.order_id == Invoice.order_id)
    .where(Invoice.order_id == bindparam("order_id", type_=Uuid), _VISIBLE)
    .order_by(Invoice.issued_at, Invoice.invoice_id)
)
_SEES_ORDER = (
    select(Order.order_id)
    .where(
        Order.order_id == bindparam("order_id", type_=Uuid),
        or_(
            IS_BUYER,
            IS_ADMIN,
            exists().where(OrderItem.order_id == Order.order_id, OrderItem.seller_id == _SELLER),
        ),
    )
    .limit(1)
)


async def invoices_of(tx: ReadTx, actor: Actor, order_id: UUID) -> list[InvoiceBody]:
    """The documents of an order that the actor sees, oldest first. Raises: OrderNotFound."""
    values = {"order_id": order_id, **actor_values(actor)}
    found = await tx.all_as(InvoiceBody, _OF_ORDER, values)
    if not found and await tx.first(_SEES_ORDER, values) is None:
        raise OrderNotFound
    return found


@dataclass(frozen=True, slots=True)
class Document:
    """What is drawn. `with_buyer`: with the buyer's name and address, as the table of `queries/privacy.py` says."""

    invoice_id: UUID
    order_id: UUID
    content: dict[str, object]
    template: int
    digest: str
    with_buyer: bool


_SEES_BUYER = (
    (IS_BUYER, while_seen("buyer", "invoice_address", Order.status)),
    (IS_ADMIN, while_seen("admin", "invoice_address", Order.status)),
)
_DOCUMENT = (
    select(
        Invoice.invoice_id,
        Invoice.order_id,
        Invoice.content,
        Invoice.template,
        Invoice.digest,
        func.coalesce(or_(*(and_(who, seen) for who, seen in _SEES_BUYER)), false()).label("with_buyer"),
    )
    .join(Order, Order.order_id == Invoice.order_id)
    .where(
        Invoice.order_id == bindparam("order_id", type_=Uuid),
        Invoice.document_number == bindparam("number", type_=String),
        _VISIBLE,
    )
)


async def document_of(tx: ReadTx, actor: Actor, order_id: UUID, number: str, reason: str | None = None) -> Document:
    """One document of an order. Raises: InvoiceNotFound.

    `reason`: for an administrator, who sees the buyer's data with it; `access.pdf_of` writes it down.
    """
    values = {"order_id": order_id, "number": number, **actor_values(actor, reason)}
    found = await tx.first_as(Document, _DOCUMENT, values)
    if found is None:
        raise InvoiceNotFound
    return found


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """`since`, `until`: days of issue, UTC, both included."""

    kind: str | None = None
    since: date | None = None
    until: date | None = None

    def values(self) -> dict[str, object]:
        """The binds of those that are given."""
        given: dict[str, object | None] = {
            "kind": self.kind,
            **day_bounds(self.since, self.until),
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """`next` is None on the last page."""

    invoices: list[InvoiceBody]
    next: Position | None


_FILTERS: dict[str, ColumnElement[bool]] = {
    "kind": Invoice.kind == bindparam("kind", type_=String),
    "since": Invoice.issued_at >= bindparam("since", type_=DateTime(timezone=True)),
    "until": Invoice.issued_at < bindparam("until", type_=DateTime(timezone=True)),
}


async def sellers_invoices(
    tx: ReadTx, actor: Actor, wanted: InvoiceFilter, *, page: PageParams, after: Position | None
) -> InvoicePage:
    """A page of the documents of a seller's sales, newest first."""
    values: dict[str, object] = {"seller_id": actor.user_id, **wanted.values(), "limit": page.limit + 1}
    if after is None:
        values["offset"] = page.offset
    else:
        values |= {"after_at": after.created_at, "after_id": after.order_id}
    rows = await tx.all_as(InvoiceBody, _list(tuple(sorted(wanted.values())), after is not None), values)
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return InvoicePage(shown, Position(shown[-1].issued_at, shown[-1].invoice_id) if more else None)


# Built once per shape, because building and hashing a statement takes longer than Postgres takes to run it.
@cache
def _list(names: tuple[str, ...], behind_cursor: bool) -> Select[Any]:  # Any: columns of several types
    mine = select(*_BODY).where(
        Invoice.seller_id == bindparam("seller_id", type_=Uuid), *(_FILTERS[name] for name in names)
    )
    mine = mine.order_by(Invoice.issued_at.desc(), Invoice.invoice_id.desc()).limit(bindparam("limit", type_=Integer))
    if not behind_cursor:
        return mine.offset(bindparam("offset", type_=Integer))
    after = tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid))
    return mine.where(tuple_(Invoice.issued_at, Invoice.invoice_id) < after)
