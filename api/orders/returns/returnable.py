"""Which units of an order may be returned, and their refund: pure rules on its lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.kernel.errors import FieldError
from api.kernel.money import ZERO, share
from api.orders.errors import NotReturnable
from api.orders.schemas import ReturnLine
from api.orders.states import CANCELLABLE
from api.payments.parts import Parts

# Lines of parcels that never left.
_NEVER_SENT = CANCELLABLE | {"cancelled"}


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order.

    `returned` counts units whose return was requested, approved or refunded, and the amounts `given` are those of
    these returns (`tax_given` without the tax on shipping). `returned_outbound`: how many of these units give back what
    sending them cost. `adjusted`: some of the amounts were given although nothing came back for them. `digital`: it is
    delivered online, and has no part in what sending costs.
    """

    order_item_id: UUID
    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    warehouse_id: UUID | None
    quantity: int
    subtotal: Decimal
    discount: Decimal
    tax_amount: Decimal
    tax_included: bool
    returned: int
    returned_outbound: int
    goods_given: Decimal
    tax_given: Decimal
    shipping_given: Decimal
    shipping_tax_given: Decimal
    status: str
    parcel_id: UUID | None
    adjusted: bool
    return_days: int | None
    digital: bool

    @property
    def returnable(self) -> int:
        return self.quantity - self.returned

    @property
    def goods(self) -> Decimal:
        """What the buyer paid for the line, without tax."""
        return self.subtotal - self.discount - (self.tax_amount if self.tax_included else ZERO)

    @property
    def left(self) -> Parts:
        """What of the line's goods and tax was not given back."""
        return Parts(self.goods - self.goods_given, self.tax_amount - self.tax_given)


@dataclass(frozen=True, slots=True)
class OrderAmounts:
    """The amounts of an order that are not those of its lines."""

    total: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping_fee: Decimal


@dataclass(frozen=True, slots=True)
class RefundOf:
    """A return's refund; `shipping_tax` is the part of its tax that is on shipping."""

    parts: Parts
    shipping_tax: Decimal

    def with_shipping(self, left: Parts) -> "RefundOf":
        """The same with what is `left` of the cost of sending."""
        return RefundOf(self.parts + left, self.shipping_tax + left.tax)


@dataclass(frozen=True, slots=True)
class LineRefund:
    """What one line gives back. `quantity`: its units that come back, or are never sent or lost; 0 for money alone."""

    line: OrderLine
    quantity: int
    refund: RefundOf


def units_to_return(request: Sequence[ReturnLine], lines: Mapping[UUID, OrderLine]) -> dict[UUID, int]:
    """Line -> requested units; two entries for one line are added.

    Raises: NotReturnable, which names every entry that is wrong.
    """
    units: dict[UUID, int] = {}
    errors = []
    for index, entry in enumerate(request):
        line = lines.get(entry.order_item_id)
        units[entry.order_item_id] = units.get(entry.order_item_id, 0) + entry.quantity
        if line is None:
            errors.append(FieldError(pointer=f"/items/{index}/orderItemId", message="not a line of this order"))
        elif units[entry.order_item_id] > line.returnable:
            message = f"{line.returnable} of this line can still be returned"
            errors.append(FieldError(pointer=f"/items/{index}/quantity", message=message))
    if errors:
        raise NotReturnable("Correct the lines named in `errors`.", errors=errors)
    return units


def refund_of(
    amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], item_id: UUID, quantity: int, *, outbound: bool
) -> RefundOf:
    """What `quantity` more units of a line give back: their goods and tax and, with `outbound`, their share of what
    sending the order cost.

    Lines share that cost by their subtotals, units share their line. Whatever the sizes of a line's returns, they add
    up to the line's share, and all lines to the order. What was given back before without a return is missing from
    every unit that is left alike.
    """
    line = lines[item_id]

    def due(whole: Decimal, units: int) -> Decimal:
        return share(whole, Decimal(0), Decimal(units), Decimal(line.quantity))

    after = line.returned + quantity
    goods = due(line.goods, after) - line.goods_given
    tax = due(line.tax_amount, after) - line.tax_given
    if line.adjusted:
        goods, tax = (
            share(part, Decimal(0), Decimal(quantity), Decimal(line.returnable))
            for part in (line.left.goods, line.left.tax)
        )
    if not outbound:
        return RefundOf(Parts(goods, tax, ZERO), ZERO)
    sent = line.returned_outbound + quantity
    fee, fee_tax = sending_share(amounts, lines, line)
    shipping = max(ZERO, due(fee, sent) - line.shipping_given)
    shipping_tax = max(ZERO, due(fee_tax, sent) - line.shipping_tax_given)
    return RefundOf(Parts(goods, tax + shipping_tax, shipping), shipping_tax)


def shipping_left(amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], item_id: UUID) -> Parts:
    """What of the line's share of the cost of sending was not given back: the fee, and the tax on it."""
    line = lines[item_id]
    fee, fee_tax = sending_share(amounts, lines, line)
    return Parts(tax=fee_tax - line.shipping_tax_given, shipping=fee - line.shipping_given)


def with_unspent_sending(
    amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], off: Sequence[LineRefund]
) -> tuple[list[LineRefund], list[LineRefund]]:
    """`off`, units that are not sent, and what other lines give back with them.

    As long as something of the order is sent, each line keeps its share of that cost, but for what `off` has of it.
    Where nothing is sent any more, all that is left of it goes back, to the lines that were never sent: with the units
    of those in `off`, and as money alone of those that were cancelled before.
    """
    units = {one.line.order_item_id: one.quantity for one in off}
    if not nothing_sent_without(lines, units):
        return list(off), []
    given = {one.line.order_item_id: one.refund for one in off}
    none = RefundOf(Parts(), ZERO)
    never = [line for line in lines.values() if not line.digital and line.status in _NEVER_SENT]
    now = [given.get(line.order_item_id, none) for line in never]
    left = [shipping_left(amounts, lines, line.order_item_id) for line in never]
    fees = _apart([rest.shipping - one.parts.shipping for rest, one in zip(left, now, strict=True)])
    taxes = _apart([rest.tax - one.shipping_tax for rest, one in zip(left, now, strict=True)])
    more = {line.order_item_id: Parts(tax=tax, shipping=fee) for line, fee, tax in zip(never, fees, taxes, strict=True)}
    whole = [
        LineRefund(one.line, one.quantity, one.refund.with_shipping(more.get(one.line.order_item_id, Parts())))
        for one in off
    ]
    others = [
        LineRefund(line, 0, none.with_shipping(rest))
        for line in never
        if line.order_item_id not in units and (rest := more[line.order_item_id]).amount
    ]
    return whole, others


def _apart(left: Sequence[Decimal]) -> list[Decimal]:
    """What each gives so that all give their sum, and none less than nothing: an edit of an order may have left a line
    a smaller share than it gave."""
    rest, found = sum(left, ZERO), []
    for one in left:
        found.append(min(max(one, ZERO), max(rest, ZERO)))
        rest -= found[-1]
    return found


def part_of(left: Parts, amount: Decimal) -> Parts:
    """`amount` of what is `left`, as much of each part in proportion; goods or shipping has the odd cent."""
    if not amount:
        return Parts()
    tax = share(left.tax, Decimal(0), amount, left.amount)
    rest = amount - tax
    return Parts(tax=tax, goods=rest) if left.goods else Parts(tax=tax, shipping=rest)


def sending_share(amounts: OrderAmounts, lines: Mapping[UUID, OrderLine], line: OrderLine) -> tuple[Decimal, Decimal]:
    """The line's share of the shipping fee without tax, and of the tax on it."""
    if line.digital:
        return ZERO, ZERO
    sent = [other for other in lines.values() if not other.digital]
    whole = sum((other.subtotal for other in sent), ZERO)
    before = sum((other.subtotal for other in sent if other.order_item_id < line.order_item_id), ZERO)
    of_lines = sum((other.tax_amount for other in lines.values()), ZERO)
    included = sum((other.tax_amount for other in lines.values() if other.tax_included), ZERO)
    fee = amounts.shipping_fee - (amounts.tax_included - included)
    fee_tax = amounts.tax - of_lines
    return share(fee, before, before + line.subtotal, whole), share(fee_tax, before, before + line.subtotal, whole)


def whole_order(amounts: OrderAmounts, lines: Iterable[OrderLine]) -> Parts:
    """What the order costs with everything that was ever in it."""
    goods = sum((line.goods for line in lines), ZERO)
    return Parts(goods, amounts.tax, amounts.total - goods - amounts.tax)


def not_given_back(amounts: OrderAmounts, lines: Sequence[OrderLine]) -> Parts:
    """What is due for the order without its returns."""
    given = (Parts(line.goods_given, line.tax_given + line.shipping_tax_given, line.shipping_given) for line in lines)
    return whole_order(amounts, lines) - sum(given, Parts())


def nothing_sent_without(lines: Mapping[UUID, OrderLine], units: Mapping[UUID, int]) -> bool:
    """Whether these units are the last of the order that are sent."""
    sent = {item_id: line for item_id, line in lines.items() if not line.digital}
    return bool(sent.keys() & units.keys()) and comes_back_whole(sent, units)


def comes_back_whole(lines: Mapping[UUID, OrderLine], units: Mapping[UUID, int]) -> bool:
    """Whether the whole order is returned once `units` are returned too."""
    return all(line.returnable == units.get(item_id, 0) for item_id, line in lines.items())
