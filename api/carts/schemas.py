"""Bodies of the cart's requests and responses: the seed's body, with a flag on each line that changed."""

from uuid import UUID

from pydantic import Field

from api.catalog.schemas import ComponentBody, Condition, DeliveryOption, Kind, LowestPrice
from api.kernel.money import Amount, Sum
from api.kernel.schemas import Quantity, Wire, WireId
from api.pricing.explanation import ChargeKind
from api.pricing.promotions import Refusal
from api.promotions.schemas import Code

MAX_QUANTITY = 999


class AddItem(Wire):
    product_id: WireId
    variant_id: WireId
    quantity: Quantity = 1


class SetQuantity(Wire):
    quantity: Quantity


class CartProduct(Wire):
    """`titleLanguage`: of the title, where it is another than was asked for."""

    product_id: UUID
    title: str
    title_language: str | None
    brand: str | None
    thumbnail: str
    prime_eligible: bool
    condition: Condition
    kind: Kind


class CartVariant(Wire):
    """`stock` = units that can be sold now."""

    variant_id: UUID
    sku: str
    attributes: dict[str, object]
    stock: int


class DiscountBody(Wire):
    """What a promotion takes off all units of a line."""

    promotion: str
    amount: Amount


class CartLine(Wire):
    """`price` is today's, `priceWhenAdded` that of when the line was added. `priceChanged` is true when the price has
    changed, until `GET /cart` has shown that; adding units, or setting how many, shows it once more.
    `lowestPrice30d`: as on the product's page.

    Only `available` lines count in the totals. A line in another currency than the cart's is
    not available: it needs a separate order. `backordered`: how many of its units are not in stock and come later.
    `components`: of a kit, what one unit of it has; null for the others. `unavailable`: why there is not so much of a
    kit, or of what kits of the cart are made of, in words.
    `minAge`: an order needs a `birthDate` of so many years ago; `restriction`: why it is not available where the cart
    goes, in words.
    """

    cart_item_id: UUID
    product: CartProduct
    variant: CartVariant
    quantity: int
    price: Amount
    lowest_price_30d: LowestPrice
    price_when_added: Amount
    price_changed: bool
    subtotal: Sum
    discounts: list[DiscountBody]
    currency: str
    available: bool
    backordered: int
    min_age: int | None
    restriction: str | None
    components: list[ComponentBody] | None
    unavailable: str | None


class ChargeBody(Wire):
    """An amount of the total in words. Those that are not `included` in others add up to it; a discount is negative."""

    kind: ChargeKind
    text: str = Field(examples=["tax 8 %"])
    amount: Sum
    included: bool


class Destination(Wire):
    """Where the cart's prices and dates hold: the country and state that were asked for, or the shop's own market."""

    country: str
    state: str | None


class AddCoupon(Wire):
    code: Code


class CouponBody(Wire):
    """A code of the cart. `promotion`: the name of what it stands for; `discount`: what it takes off all lines. Where
    it takes nothing off, `reason` says why, and `text` in words."""

    code: str
    applied: bool
    promotion: str | None
    discount: Amount
    reason: Refusal | None
    text: str | None


class CartBody(Wire):
    """`cartId` is null until a line was added. `taxIncluded` is the part of `tax` that the prices contain already:
    total = subtotal + tax - taxIncluded + shipping - discount. `discount` is that of `coupons`; `savings` is against
    list prices and is already in the subtotal. `delivery` is the option that `shipping` is for; an order to the same
    place at the same speed costs `total`, which it checks as `expectedTotal`."""

    cart_id: UUID | None
    items: list[CartLine]
    item_count: int
    currency: str
    subtotal: Sum
    tax: Sum
    tax_included: Sum
    shipping: Amount
    discount: Sum
    total: Sum
    savings: Sum
    explanation: list[ChargeBody]
    coupons: list[CouponBody]
    shipping_to: Destination
    delivery: DeliveryOption | None
    delivery_options: list[DeliveryOption]
