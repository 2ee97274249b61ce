"""A buyer's orders on the wire."""

from typing import Literal

from api.kernel.schemas import Wire, WireId

WhyNot = Literal["withdrawn", "sold out", "fewer in stock", "cart full", "too many"]


class LineAgain(Wire):
    """`quantity` was bought and `added` units went into the cart now, less what it held already. `reason`: why the
    cart holds fewer than were bought, null when it holds them all."""

    order_item_id: WireId
    variant_id: WireId
    title: str
    quantity: int
    added: int
    reason: WhyNot | None


class BoughtAgain(Wire):
    """Every line of the order; the cart is at `/cart`."""

    items: list[LineAgain]
