"""Bodies of the cart's requests and responses: the seed's body, with a flag on each line that changed."""

from uuid import UUID

from api.kernel.money import Amount, Sum
from api.kernel.schemas import Quantity, Wire, WireId

MAX_QUANTITY = 999


class AddItem(Wire):
    product_id: WireId
    variant_id: WireId
    quantity: Quantity = 1


class SetQuantity(Wire):
    quantity: Quantity


class CartProduct(Wire):
    product_id: UUID
    title: str
    brand: str | None
    thumbnail: str
    prime_eligible: bool


class CartVariant(Wire):
    """`stock` = units that can be sold now."""

    variant_id: UUID
    sku: str
    attributes: dict[str, object]
    stock: int


class CartLine(Wire):
    """`price` is today's, `priceWhenAdded` that of when the line was added. `priceChanged` is true when the price has
    changed, until `GET /cart` has shown that; adding units, or setting how many, shows it once more.

    Only `available` lines count in the totals. A line in another currency than the cart's is
    not available: it needs a separate order.
    """

    cart_item_id: UUID
    product: CartProduct
    variant: CartVariant
    quantity: int
    price: Amount
    price_when_added: Amount
    price_changed: bool
    subtotal: Sum
    currency: str
    available: bool


class CartBody(Wire):
    """`cartId` is null until a line was added. `savings` is against list prices and is already in the subtotal."""

    cart_id: UUID | None
    items: list[CartLine]
    item_count: int
    currency: str
    subtotal: Sum
    tax: Sum
    shipping: Amount
    total: Sum
    savings: Sum
