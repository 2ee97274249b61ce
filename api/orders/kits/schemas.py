"""Kits of an order, on the wire."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from api.kernel.money import ZERO, Amount
from api.kernel.schemas import Wire, WireId


class KitOfLine(Wire):
    """What a line was bought as a part of: `quantity` kits in the order, each at `price`."""

    variant_id: WireId
    product_id: WireId
    title: str
    sku: str
    quantity: int
    price: Amount


class KitBody(KitOfLine):
    """A kit as it was bought, whatever was returned of it: `subtotal` is quantity times price, the sum of its lines,
    `total` what was paid for its goods. `orderItemIds`: the lines of its components."""

    subtotal: Amount
    discount: Amount
    total: Amount
    order_item_ids: list[WireId]


class _Line(Protocol):
    @property
    def order_item_id(self) -> UUID: ...
    @property
    def kit(self) -> KitOfLine | None: ...
    @property
    def discount(self) -> Amount: ...


def kits_in(lines: Iterable[_Line]) -> list[KitBody]:
    """The kits that the lines were bought as, in the order of their first lines. Their discounts are those of their
    lines; a line that an edit added for another one has none."""
    found: dict[UUID, tuple[KitOfLine, list[_Line]]] = {}
    for line in lines:
        if line.kit is not None:
            found.setdefault(line.kit.variant_id, (line.kit, []))[1].append(line)
    return [_body(kit, of_kit) for kit, of_kit in found.values()]


def _body(kit: KitOfLine, lines: list[_Line]) -> KitBody:
    subtotal, discount = kit.price * kit.quantity, sum((line.discount for line in lines), ZERO)
    return KitBody(
        **kit.model_dump(),
        subtotal=subtotal,
        discount=discount,
        total=subtotal - discount,
        order_item_ids=[line.order_item_id for line in lines],
    )
