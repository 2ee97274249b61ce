"""Writes invoices and credit notes, each once, numbered without gaps.

One transaction: lock the orders' rows, so that the writers of one order take turns; see what is there; take numbers
from the issuers' counters, whose rows stay locked until the commit; insert. What is rolled back takes its numbers back.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Executable, Integer, String, Text, Uuid, bindparam, cast, column, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from api.delivery.places import Place
from api.identity.queries import names_of
from api.kernel import clock, failpoints
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.money import ZERO
from api.orders.invoices.amounts import (
    Bill,
    credit_notes,
    further_invoices,
    invoices,
    lowered,
    notes_of_lines,
    of_no_line,
    raised,
)
from api.orders.invoices.content import Kind, Reference, Sale, Store, Words, content_of, digest_of, document_number
from api.orders.invoices.models import Invoice, InvoiceCounter
from api.orders.invoices.paper import NEWEST
from api.orders.invoices.queries import (
    Due,
    PaidReturn,
    SoldLine,
    Written,
    lines_of,
    lock_orders,
    noted_causes,
    paid_returns,
    written_for,
)
from api.payments.parts import Parts
from api.payments.queries import OrderRefund, captured_of, refunds_of
from api.pricing import tariff
from api.pricing.tax import owed_by_marketplace
from api.sellers.queries import stores_of


@dataclass(frozen=True, slots=True)
class _Draft:
    """A document without its number."""

    kind: Kind
    order: Due
    store: Store
    bill: Bill
    words: Mapping[UUID, Words]
    refunds: tuple[UUID, ...] = ()
    refund_id: UUID | None = None
    edit_id: UUID | None = None
    invoice: Written | None = None
    edition: int = 1


@dataclass(frozen=True, slots=True)
class _Known:
    """What the drafts of locked orders are made of."""

    orders: Sequence[Due]
    lines: Mapping[UUID, list[SoldLine]]
    refunds: Mapping[UUID, list[OrderRefund]]
    returns: Mapping[UUID, list[PaidReturn]]
    captured: Mapping[UUID, Decimal]
    stores: Mapping[tuple[UUID, UUID], Store]
    names: Mapping[UUID, str]


async def write_documents(ctx: Context, order_ids: Collection[UUID]) -> int:
    """Write what these orders lack: the invoices of one that was shipped from and has none, and then a credit note for
    each refund that was made since. Returns how many documents."""
    if not order_ids:
        return 0
    written = await ctx.db.run(partial(_write, ctx=ctx, order_ids=order_ids, at=clock.now()))
    failpoints.hit("invoices.after_commit")
    return written


async def _write(tx: Tx, *, ctx: Context, order_ids: Collection[UUID], at: datetime) -> int:
    orders = await lock_orders(tx, order_ids)
    there: dict[UUID, list[Written]] = defaultdict(list)
    for one in await written_for(tx, orders):
        there[one.order_id].append(one)
    orders = [order for order in orders if order.has_shipped or order.order_id in there]
    if not orders:
        return 0
    known = await _known(ctx, tx, orders)
    fresh = [draft for order in orders if order.order_id not in there for draft in _invoices(known, order)]
    noted = await noted_causes(tx, orders)
    later = list[_Draft]()
    for order in orders:
        if written := there.get(order.order_id):
            later += _later(known, order, written, noted)
    drafts = [*fresh, *later]
    if drafts:
        numbers = await _numbers(tx, drafts, at.year)
        failpoints.hit("invoices.after_numbers")
        rows = [_row(known, draft, number, at) for draft, number in zip(drafts, numbers, strict=True)]
        await tx.execute(_INSERT, {"rows": orjson.dumps(rows, default=str).decode()})
    return len(drafts)


async def _known(ctx: Context, tx: Tx, orders: Sequence[Due]) -> _Known:
    lines: dict[UUID, list[SoldLine]] = defaultdict(list)
    for line in await lines_of(tx, orders):
        lines[line.order_id].append(line)
    refunds: dict[UUID, list[OrderRefund]] = defaultdict(list)
    for refund in await refunds_of(tx, [order.order_id for order in orders]):
        refunds[refund.order_id].append(refund)
    returns: dict[UUID, list[PaidReturn]] = defaultdict(list)
    for paid in await paid_returns(tx, orders):
        returns[paid.order_id].append(paid)
    sellers = await stores_of(tx, {line.seller_id for of_order in lines.values() for line in of_order})
    engine = tariff.engine(ctx.settings)
    stores = {}
    for order in orders:
        place = Place(order.country, str(order.shipping_address.get("state") or "") or None)
        terms = engine.terms(place, order.created_at.date())
        for seller_id in {line.seller_id for line in lines[order.order_id]}:
            store = sellers[seller_id]
            deemed = owed_by_marketplace(terms, place, store.country)
            stores[order.order_id, seller_id] = Store(seller_id, store.name, store.country, deemed)
    names = await names_of(tx, {order.user_id for order in orders if order.user_id is not None})
    captured = await captured_of(tx, [order.order_id for order in orders])
    return _Known(orders, lines, refunds, returns, captured, stores, names)


@dataclass(frozen=True, slots=True)
class _Cause:
    """What credit notes are written for: a refund, or an edit that set off all that it took off, the fee too. `bills`
    are of what invoices bill; `fresh`: some of it came and went with no invoice between, and the next one takes it off.
    """

    bills: Sequence[Bill]
    fresh: bool
    refund_id: UUID | None = None
    edit_id: UUID | None = None

    @property
    def cause_id(self) -> UUID | None:
        return self.refund_id or self.edit_id


def _set_off(returns: Sequence[PaidReturn]) -> dict[UUID, list[PaidReturn]]:
    """What edits took off without a refund, because they added as much or more."""
    found: dict[UUID, list[PaidReturn]] = defaultdict(list)
    for one in returns:
        if one.refund_id is None and one.edit_id is not None:
            found[one.edit_id].append(one)
    return found


def _invoices(known: _Known, order: Due) -> list[_Draft]:
    """One for each seller of the order, less all that was refunded or is about to be."""
    lines, asked = known.lines[order.order_id], known.refunds[order.order_id]
    given = sum((refund.parts for refund in asked), Parts())
    taken = (*(refund.refund_id for refund in asked), *_set_off(known.returns[order.order_id]))
    return [
        _Draft("invoice", order, known.stores[order.order_id, bill.seller_id], bill, _words(lines), refunds=taken)
        for bill in invoices(order.amounts, lines, given, known.captured.get(order.order_id, ZERO))
    ]


def _later(known: _Known, order: Due, there: Sequence[Written], noted: set[UUID]) -> list[_Draft]:
    """Credit notes of what went since the order's invoices were written, and further invoices of what edits added. What
    is of no line, as the change of the shipping fee is, rises on an invoice and falls on a note."""
    lines, unbilled = known.lines[order.order_id], _unbilled(known, order, there)
    bills, causes = further_invoices(lines, unbilled), _causes(known, order, there, noted)
    notes = [bill for cause in causes for bill in cause.bills]
    stated = sum((one.left for one in there), ZERO) - _total(notes) + _total(bills)
    taken = {refund for one in there for refund in one.refunds}
    made = (r.parts.amount for r in known.refunds[order.order_id] if r.status == "refunded" or r.refund_id in taken)
    rest = known.captured.get(order.order_id, ZERO) - sum(made, ZERO) - stated
    if rest:
        sending = _sending(there, notes)
        of_order = of_no_line(order.amounts, lines, sum(sending.values(), Parts()), rest)
        if rest > 0:
            bills = raised(bills, of_order, lines)
        else:
            # Of an edit that only added, and nothing went but of the fee.
            edited = {line.edit_id for line in lines if line.edit_id is not None} - noted
            causes = causes or [_Cause([], fresh=False, edit_id=edit_id) for edit_id in sorted(edited)]
            causes[-1:] = [replace(one, bills=lowered(one.bills, of_order, sending)) for one in causes[-1:]]
    refunds = tuple(cause.cause_id for cause in causes if cause.fresh and cause.cause_id)
    edition, words = max(one.edition for one in there) + 1, _words(lines)
    further = [
        _Draft(
            *("invoice", order, known.stores[order.order_id, bill.seller_id], bill, words),
            refunds=refunds,
            edition=edition,
        )
        for bill in bills
    ]
    return [*_notes(known, order, there, causes), *further]


def _total(bills: Iterable[Bill]) -> Decimal:
    return sum((bill.total for bill in bills), ZERO)


def _sending(there: Sequence[Written], notes: Iterable[Bill]) -> dict[UUID, Parts]:
    """What the documents of each seller say of the shipping fee and its tax, and of what else is of no line."""
    said: dict[UUID, Parts] = defaultdict(Parts)
    for one in there:
        said[one.seller_id] += Parts(ZERO, one.sending_tax, one.sending)
    for note in notes:
        off = note.shipping + note.adjustment
        said[note.seller_id] -= Parts(ZERO, off.tax, off.goods + off.shipping)
    return said


def _causes(known: _Known, order: Due, there: Sequence[Written], noted: set[UUID]) -> list[_Cause]:
    """The refunds that were made, and the edits that set something off, which no document says yet."""
    done = noted | {taken for one in there for taken in one.refunds}
    unbilled = _unbilled(known, order, there)
    found = []
    for edit_id, all_of in _set_off(known.returns[order.order_id]).items():
        off = [one.back for one in all_of if one.back.order_item_id not in unbilled]
        found.append(_Cause(notes_of_lines(off), len(off) < len(all_of), edit_id=edit_id))
    for refund in known.refunds[order.order_id]:
        if refund.status == "refunded":
            all_of = [one for one in known.returns[order.order_id] if one.refund_id == refund.booking_id]
            paid = [one for one in all_of if one.back.order_item_id not in unbilled]
            if len(paid) < len(all_of) or (order.edits and all(one.edit_id for one in all_of)):
                bills = _bills_of_lines(known, refund, paid)
            else:
                bills = _bills_of(known, refund, there, paid)
            found.append(_Cause(bills, len(paid) < len(all_of), refund_id=refund.refund_id))
    return [cause for cause in found if cause.cause_id not in done]


def _bills_of_lines(known: _Known, refund: OrderRefund, paid: Sequence[PaidReturn]) -> list[Bill]:
    """The lines that were billed, of a refund that an edit made or that pays for others too."""
    booked = [one for one in known.refunds[refund.order_id] if one.booking_id == refund.booking_id]
    booked.sort(key=lambda one: one.refund_id != one.booking_id)
    return notes_of_lines([one.back for one in paid], [one.parts.amount for one in booked], booked.index(refund))


def _unbilled(known: _Known, order: Due, there: Sequence[Written]) -> set[UUID]:
    """The lines that edits added and no invoice bills."""
    billed = {UUID(line) for one in there for line in one.lines}
    added = {line.order_item_id for line in known.lines[order.order_id] if line.edit_id is not None}
    return added - billed


def _bills_of(known: _Known, refund: OrderRefund, there: Sequence[Written], paid: Sequence[PaidReturn]) -> list[Bill]:
    """What a refund gives back. The first of a booking has the units, and all are shared by the sellers of these."""
    left: dict[UUID, Decimal] = defaultdict(Decimal)
    for written in there:
        left[written.seller_id] += max(written.left, ZERO)
    if refund.refund_id != refund.booking_id:
        sellers: dict[UUID, Decimal] = defaultdict(Decimal)
        for one in paid:
            sellers[one.back.seller_id] += one.back.parts.amount
        return credit_notes(refund.parts, [], sellers or left)
    return credit_notes(refund.parts, [one.back for one in paid], left)


def _notes(known: _Known, order: Due, there: Sequence[Written], causes: Sequence[_Cause]) -> list[_Draft]:
    # A note refers to the first invoice of its seller.
    by_seller = {one.seller_id: one for one in reversed(there)}
    words = _words(known.lines[order.order_id])
    return [
        _Draft(
            *("credit_note", order, known.stores[order.order_id, bill.seller_id], bill, words),
            refund_id=cause.refund_id,
            edit_id=cause.edit_id,
            invoice=by_seller[bill.seller_id],
        )
        for cause in causes
        for bill in cause.bills
    ]


def _words(lines: Iterable[SoldLine]) -> dict[UUID, Words]:
    return {
        line.order_item_id: Words(
            *(line.title, line.sku, line.attributes or {}, line.price, line.tax_rate, line.tax_included),
            sent_to=line.sent_to,
            kit=line.kit,
        )
        for line in lines
    }


async def _numbers(tx: Tx, drafts: Sequence[_Draft], year: int) -> list[int]:
    """The next numbers of the drafts' issuers, in the order of the drafts. Counters are locked in one order, so that
    two writers never wait for each other."""
    counts: dict[tuple[UUID, str], int] = defaultdict(int)
    for draft in drafts:
        counts[draft.store.issuer_id, draft.kind] += 1
    taken = sorted(counts)
    values = {
        "issuers": [issuer for issuer, _ in taken],
        "kinds": [kind for _, kind in taken],
        "counts": [counts[key] for key in taken],
        "year": year,
    }
    last = {(row[0], row[1]): row[2] for row in await tx.all(_TAKE, values)}
    following = {key: last[key] - counts[key] for key in taken}
    numbers = []
    for draft in drafts:
        following[draft.store.issuer_id, draft.kind] += 1
        numbers.append(following[draft.store.issuer_id, draft.kind])
    return numbers


_GIVEN = (
    func.unnest(
        bindparam("issuers", type_=ARRAY(Uuid)),
        bindparam("kinds", type_=ARRAY(String)),
        bindparam("counts", type_=ARRAY(Integer)),
    )
    .table_valued(column("issuer_id", Uuid), column("kind", String), column("taken", Integer))
    .render_derived("given")
)
_ADDED = upsert(InvoiceCounter).from_select(
    [InvoiceCounter.issuer_id, InvoiceCounter.kind, InvoiceCounter.year, InvoiceCounter.last],
    select(_GIVEN.c.issuer_id, _GIVEN.c.kind, bindparam("year", type_=Integer), _GIVEN.c.taken).order_by(
        _GIVEN.c.issuer_id, _GIVEN.c.kind
    ),
)
_TAKE = _ADDED.on_conflict_do_update(
    index_elements=[InvoiceCounter.issuer_id, InvoiceCounter.kind, InvoiceCounter.year],
    set_={"last": InvoiceCounter.last + _ADDED.excluded.last},
).returning(InvoiceCounter.issuer_id, InvoiceCounter.kind, InvoiceCounter.last)


def _insert() -> Executable:
    """Insert documents, given as one JSON array of rows."""
    named = Invoice.__table__.columns
    columns = [column(one.name, one.type) for one in named if one.name != "created_at"]
    rows = func.jsonb_to_recordset(cast(bindparam("rows", type_=Text), JSONB))
    given = rows.table_valued(*columns).render_derived("given", with_types=True)
    names = [one.name for one in columns]
    return insert(Invoice).from_select(names, select(*(given.c[name] for name in names)))


_INSERT = _insert()


def _row(known: _Known, draft: _Draft, number: int, at: datetime) -> dict[str, object]:
    issuer = draft.store.issuer_id
    named = document_number(draft.kind, issuer, at.year, number)
    refers_to = None if draft.invoice is None else draft.invoice.document_number
    order = draft.order
    name = None if order.user_id is None else known.names.get(order.user_id)
    sale = Sale(
        *(order.order_id, order.order_number, order.currency, order.created_at, order.shipping_address),
        *(order.country, name, order.payment_method),
    )
    content = content_of(sale, draft.store, draft.bill, draft.words, Reference(draft.kind, named, at, refers_to))
    return {
        "invoice_id": new_id(),
        "kind": draft.kind,
        "order_id": order.order_id,
        "seller_id": draft.bill.seller_id,
        "issuer_id": issuer,
        "year": at.year,
        "number": number,
        "document_number": named,
        "edition": draft.edition,
        "refund_id": draft.refund_id,
        "edit_id": draft.edit_id,
        "invoice_refers_to": None if draft.invoice is None else draft.invoice.invoice_id,
        "refunds": list(draft.refunds),
        "currency": order.currency,
        "net": draft.bill.net,
        "tax": draft.bill.tax,
        "total": draft.bill.total,
        "template": NEWEST,
        "content": content,
        "digest": digest_of(content, NEWEST),
        "issued_at": at,
    }
