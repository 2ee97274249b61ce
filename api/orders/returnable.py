"""Which units of an order may be returned, and their refund: pure rules on its lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.kernel.errors import FieldError
from api.kernel.money import ZERO, allocate
from api.orders.errors import NotReturnable
from api.orders.schemas import ReturnLine


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order; `returned` counts units whose return was requested, approved or refunded."""

    order_item_id: UUID
    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    warehouse_id: UUID | None
    quantity: int
    subtotal: Decimal
    returned: int

    @property
    def returnable(self) -> int:
        return self.quantity - self.returned


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


def refund_share(total: Decimal, lines: Mapping[UUID, OrderLine], item_id: UUID, quantity: int) -> Decimal:
    """The refund of `quantity` more units of a line with their share of tax, shipping and discount, to the cent.

    Lines share the order's total by their subtotals, units share their line. Units returned one by one add up to the
    line's share, and all lines to the total.
    """
    shares = dict(zip(lines, allocate(total, [line.subtotal for line in lines.values()]), strict=True))
    line = lines[item_id]
    units = allocate(shares[item_id], [Decimal(1)] * line.quantity)
    return sum(units[line.returned : line.returned + quantity], ZERO)


def comes_back_whole(lines: Mapping[UUID, OrderLine], units: Mapping[UUID, int]) -> bool:
    """Whether the whole order is returned once `units` are returned too."""
    return all(line.returnable == units.get(item_id, 0) for item_id, line in lines.items())
