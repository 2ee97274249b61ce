"""What an invoice of an order bills and what a credit note gives back, by seller: pure rules, exact to the cent.

For each order, invoices less credit notes are what was charged less what was refunded. What cannot be said of a line
(a refund that no return explains) is an adjustment, shared by the sellers in proportion to what they sold.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from api.kernel.money import ZERO, allocate, share
from api.orders.returns.returnable import OrderAmounts, OrderLine, sending_share, whole_order
from api.payments.parts import Parts

# Of a bill that is not yet shared by sellers.
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Billed:
    """`quantity` units of a line; `net` without tax, after the discount."""

    order_item_id: UUID
    quantity: int
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """What one seller bills or gives back. `shipping` has its own tax; `adjustment` is of no line."""

    seller_id: UUID
    lines: tuple[Billed, ...]
    shipping: Parts
    adjustment: Parts
    fee: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        extra = self.shipping.shipping + self.adjustment.goods + self.adjustment.shipping
        return sum((line.net for line in self.lines), ZERO) + extra

    @property
    def tax(self) -> Decimal:
        return sum((line.tax for line in self.lines), ZERO) + self.shipping.tax + self.adjustment.tax

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    @property
    def is_empty(self) -> bool:
        return not self.lines and self.net == 0 and self.tax == 0


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A return that a refund pays, without the `fee` that the seller keeps; `shipping_tax` is part of `tax`."""

    order_item_id: UUID
    seller_id: UUID
    quantity: int
    goods: Decimal
    tax: Decimal
    shipping: Decimal
    shipping_tax: Decimal
    fee: Decimal

    @property
    def parts(self) -> Parts:
        return Parts(self.goods, self.tax, self.shipping)


def invoices(amounts: OrderAmounts, lines: Sequence[OrderLine], refunded: Parts, paid: Decimal) -> list[Bill]:
    """One bill for each seller who has something to bill. `refunded`: what the order has given back already, of which
    the returns on `lines` say for which line. `paid`: what was charged for it."""
    by_id = {line.order_item_id: line for line in lines}
    bills = [_bill(amounts, by_id, seller) for seller in _sellers(lines)]
    if sum((bill.total for bill in bills), ZERO) != paid - refunded.amount:
        left = whole_order(amounts, lines)
        due = Parts(left.goods - refunded.goods, left.tax - refunded.tax, left.shipping - refunded.shipping)
        # What was set off against something else was neither charged nor refunded.
        set_off = due.amount - (paid - refunded.amount)
        bills = _adjusted(bills, Parts(due.goods - set_off, due.tax, due.shipping), _sold(lines))
    return [bill for bill in bills if not bill.is_empty]


def further_invoices(lines: Sequence[OrderLine], unbilled: Collection[UUID]) -> list[Bill]:
    """What edits added to an order that was invoiced, by seller: its lines `unbilled`, as far as they are left."""
    new = [line for line in lines if line.order_item_id in unbilled]
    bills = [Bill(seller, _billed(new, seller), Parts(), Parts()) for seller in _sellers(new)]
    return [bill for bill in bills if not bill.is_empty]


def of_no_line(amounts: OrderAmounts, lines: Sequence[OrderLine], stated: Parts, rest: Decimal) -> Bill:
    """What all documents of an order lack, or less than zero say too much, when their lines are right: `rest` in all,
    of no seller yet. It is the change of the shipping fee where it is as much as that; `stated` is what they say of
    the fee and its tax."""
    change = _sending(amounts, lines) - stated
    same = change.amount == rest and change.tax * change.shipping >= 0
    return Bill(NOBODY, (), change, Parts()) if same else Bill(NOBODY, (), Parts(), Parts(goods=rest))


def raised(bills: Sequence[Bill], rest: Bill, lines: Sequence[OrderLine]) -> list[Bill]:
    """Further invoices with a `rest` of more than zero, by those who bill something or else by all who sold something,
    in proportion."""
    sold = {bill.seller_id: bill.net for bill in bills} or _left(lines)
    return _with(bills, _divided(rest, {seller: Parts(ZERO, net, net) for seller, net in sold.items()}))


def lowered(bills: Sequence[Bill], rest: Bill, stated: Mapping[UUID, Parts]) -> list[Bill]:
    """Credit notes with a `rest` of less than zero, by those whose documents say the fee: `stated` of each seller."""
    back = Bill(NOBODY, (), Parts() - rest.shipping, Parts() - rest.adjustment)
    return _with(bills, _divided(back, stated))


def credit_notes(refund: Parts, returns: Sequence[GivenBack], sold: Mapping[UUID, Decimal]) -> list[Bill]:
    """One bill of what a refund gives back for each seller. `sold`: what each seller's invoice has left, by which they
    share what no return explains."""
    bills = [_credit(seller, [one for one in returns if one.seller_id == seller]) for seller in _sellers(returns)]
    if not bills:
        bills = [Bill(seller, (), Parts(), Parts()) for seller in sorted(sold)]
    weights = sold if not returns else {bill.seller_id: bill.total for bill in bills}
    return [bill for bill in _adjusted(bills, refund, weights) if not bill.is_empty]


def notes_of_lines(returns: Sequence[GivenBack], refunds: Sequence[Decimal] = (), index: int = 0) -> list[Bill]:
    """What went of lines that invoices bill, by seller, whatever of that was set off against something else, or paid
    together with what was never billed. Of several `refunds` the note of the first has the units, less what those of
    the others, by their `index`, give back.
    """
    whole = sum((one.parts for one in returns), Parts())
    first, others = sum(refunds[:1], ZERO), sum(refunds[1:], ZERO)
    ends = [max(whole.amount - others, min(first, whole.amount))]
    for amount in refunds[1:]:
        ends.append(min(ends[-1] + amount, whole.amount))
    start, end = (ends[index - 1] if index else ZERO), ends[index]
    if not returns or (index and start == end):
        return []
    tax, shipping = (share(part, start, end, whole.amount or Decimal(1)) for part in (whole.tax, whole.shipping))
    sold: dict[UUID, Decimal] = {}
    for one in returns:
        sold[one.seller_id] = sold.get(one.seller_id, ZERO) + one.parts.amount
    return credit_notes(Parts(end - start - tax - shipping, tax, shipping), [] if index else returns, sold)


def _sellers(rows: Iterable[OrderLine] | Iterable[GivenBack]) -> list[UUID]:
    return sorted({row.seller_id for row in rows})


def _sold(lines: Iterable[OrderLine]) -> dict[UUID, Decimal]:
    sold: dict[UUID, Decimal] = {}
    for line in lines:
        sold[line.seller_id] = sold.get(line.seller_id, ZERO) + line.subtotal
    return sold


def _bill(amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], seller: UUID) -> Bill:
    fee, fee_tax = ZERO, ZERO
    for line in lines.values():
        if line.seller_id != seller:
            continue
        of_fee, of_tax = sending_share(amounts, lines, line)
        fee += of_fee - line.shipping_given
        fee_tax += of_tax - line.shipping_tax_given
    return Bill(seller, _billed(lines.values(), seller), Parts(ZERO, fee_tax, fee), Parts())


def _billed(lines: Iterable[OrderLine], seller: UUID) -> tuple[Billed, ...]:
    """What is left of the seller's lines."""
    left = (
        Billed(line.order_item_id, line.returnable, line.goods - line.goods_given, line.tax_amount - line.tax_given)
        for line in lines
        if line.seller_id == seller
    )
    return tuple(one for one in left if one.quantity or one.net or one.tax)


def _sending(amounts: OrderAmounts, lines: Sequence[OrderLine]) -> Parts:
    """What is left of the shipping fee and of the tax on it."""
    included = sum((line.tax_amount for line in lines if line.tax_included), ZERO)
    fee = amounts.shipping_fee - (amounts.tax_included - included)
    tax = amounts.tax - sum((line.tax_amount for line in lines), ZERO)
    given = (Parts(ZERO, line.shipping_tax_given, line.shipping_given) for line in lines)
    return Parts(ZERO, tax, fee) - sum(given, Parts())


def _left(lines: Iterable[OrderLine]) -> dict[UUID, Decimal]:
    left: dict[UUID, Decimal] = {}
    for line in lines:
        left[line.seller_id] = left.get(line.seller_id, ZERO) + line.left.goods
    return left


def _divided(whole: Bill, weights: Mapping[UUID, Parts]) -> list[Bill]:
    """A bill of no line by sellers: its tax in proportion to the tax of their `weights`, the rest to their shipping."""
    sellers = sorted(weights)
    by = [max(weights[seller].shipping, ZERO) for seller in sellers]
    taxed = [max(weights[seller].tax, ZERO) for seller in sellers]
    shares = zip(
        sellers,
        _shares(whole.shipping.shipping, by),
        _shares(whole.shipping.tax, taxed),
        _shares(whole.adjustment.goods, by),
        strict=True,
    )
    return [Bill(seller, (), Parts(ZERO, tax, fee), Parts(goods=other)) for seller, fee, tax, other in shares]


def _with(bills: Sequence[Bill], more: Sequence[Bill]) -> list[Bill]:
    """`bills` and `more`, one for each seller."""
    found = {bill.seller_id: bill for bill in bills}
    for bill in more:
        known = found.get(bill.seller_id)
        found[bill.seller_id] = (
            bill
            if known is None
            else replace(known, shipping=known.shipping + bill.shipping, adjustment=known.adjustment + bill.adjustment)
        )
    return [found[seller] for seller in sorted(found) if not found[seller].is_empty]


def _credit(seller: UUID, returns: Sequence[GivenBack]) -> Bill:
    lines = tuple(Billed(one.order_item_id, one.quantity, one.goods, one.tax - one.shipping_tax) for one in returns)
    shipping = sum((Parts(ZERO, one.shipping_tax, one.shipping) for one in returns), Parts())
    return Bill(seller, lines, shipping, Parts(), sum((one.fee for one in returns), ZERO))


def _adjusted(bills: list[Bill], due: Parts, weights: Mapping[UUID, Decimal]) -> list[Bill]:
    """`bills` so that their parts add up to `due`."""
    stated = sum((_parts(bill) for bill in bills), Parts())
    missing = (due.goods - stated.goods, due.tax - stated.tax, due.shipping - stated.shipping)
    if not any(missing):
        return bills
    of = [max(weights.get(bill.seller_id, ZERO), ZERO) for bill in bills]
    shares = [_shares(amount, of) for amount in missing]
    return [
        Bill(bill.seller_id, bill.lines, bill.shipping, Parts(*parts), bill.fee)
        for bill, parts in zip(bills, zip(*shares, strict=True), strict=True)
    ]


def _parts(bill: Bill) -> Parts:
    goods = sum((line.net for line in bill.lines), ZERO)
    return Parts(goods, bill.tax, bill.shipping.shipping)


def _shares(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """`amount`, which may be negative, in proportion to `weights`, or to equal ones."""
    even = weights if any(weights) else [Decimal(1)] * len(weights)
    sign = -1 if amount < 0 else 1
    return [sign * part for part in allocate(abs(amount), even)]
