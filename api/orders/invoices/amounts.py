"""What an invoice of an order bills and what a credit note gives back, by seller: pure rules, exact to the cent.

For each order, invoices less credit notes are what was charged less what was refunded. What cannot be said of a line
(a refund that no return explains) is an adjustment, shared by the sellers in proportion to what they sold.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.kernel.money import ZERO, allocate
from api.orders.returns.returnable import OrderAmounts, OrderLine, sending_share, whole_order
from api.payments.parts import Parts


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


def further_invoices(lines: Sequence[OrderLine], unbilled: Collection[UUID], missing: Decimal) -> list[Bill]:
    """What an order that was invoiced owes since it was changed: `missing` in all, for its lines `unbilled` and, where
    these are worth something else, for what was set off against them."""
    new = [line for line in lines if line.order_item_id in unbilled]
    bills = [Bill(seller, _billed(new, seller), Parts(), Parts()) for seller in _sellers(new or lines)]
    stated = sum((_parts(bill) for bill in bills), Parts())
    due = Parts(stated.goods + missing - stated.amount, stated.tax, ZERO)
    return [bill for bill in _adjusted(bills, due, _sold(new or lines)) if not bill.is_empty]


def credit_notes(refund: Parts, returns: Sequence[GivenBack], sold: Mapping[UUID, Decimal]) -> list[Bill]:
    """One bill of what a refund gives back for each seller. `sold`: what each seller's invoice has left, by which they
    share what no return explains."""
    bills = [_credit(seller, [one for one in returns if one.seller_id == seller]) for seller in _sellers(returns)]
    if not bills:
        bills = [Bill(seller, (), Parts(), Parts()) for seller in sorted(sold)]
    weights = sold if not returns else {bill.seller_id: bill.total for bill in bills}
    return [bill for bill in _adjusted(bills, refund, weights) if not bill.is_empty]


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
