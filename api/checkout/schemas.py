"""The order request, and the plan that a checkout stores in its row."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic.alias_generators import to_camel

from api.delivery.promises import Speed
from api.kernel import clock
from api.kernel.card_numbers import refuse_card_number
from api.kernel.money import ZERO, Amount
from api.kernel.schemas import Quantity, Wire, WireId
from api.kernel.texts import MAIL_ADDRESS, OneLine
from api.orders.kits.schemas import KitOfLine
from api.orders.parcels.packing import ShippingPreference
from api.orders.statements import Snapshot
from api.promotions.codes import MOST_CODES
from api.promotions.schemas import Code

_Text = Annotated[OneLine, AfterValidator(refuse_card_number)]
Line = Annotated[_Text, Field(min_length=1, max_length=255)]
PaymentType = Literal["credit_card", "debit_card", "paypal", "amazon_pay"]


def _written_as_a_day(value: object) -> object:
    if not isinstance(value, date) and (not isinstance(value, str) or len(value) != len("2000-01-31")):
        raise ValueError("must be a day such as 2000-01-31")
    return value


def _somebody_lives(value: date) -> date:
    today = clock.now().date()
    if not today - timedelta(days=130 * 366) < value <= today:
        raise ValueError("must be a day in the past, on which somebody was born who lives")
    return value


# Asked for what is sold from an age on, and kept nowhere: a request is stored without it.
AskedBirthDate = Annotated[
    Annotated[
        date,
        BeforeValidator(_written_as_a_day),
        AfterValidator(_somebody_lives),
        Field(strict=False, examples=["1990-12-31"]),
    ]
    | None,
    Field(exclude=True),
]


class OrderLine(Wire):
    product_id: WireId
    variant_id: WireId
    quantity: Quantity


class SavedAddress(Wire):
    address_id: WireId


class GivenAddress(Wire):
    """What is sent needs all of it, `state` and `zipCode` where the country's addresses have them. What is delivered
    online alone needs what its tax does: `country`, and `state` where that decides, as in Canada. `country` by its ISO
    3166 code or its name."""

    street: Line | None = None
    city: Line | None = None
    state: Annotated[_Text, Field(max_length=100)] | None = None
    zip_code: Annotated[_Text, Field(max_length=20)] | None = None
    country: Annotated[_Text, Field(min_length=2, max_length=100)]
    name: Line | None = None


def _kind_of_address(value: object) -> str:
    """Which of the two is meant, so that what is wrong with it is said of that one only."""
    saved = isinstance(value, SavedAddress) or (isinstance(value, dict) and "addressId" in value)
    return "saved" if saved else "given"


ShippingAddress = Annotated[
    Annotated[SavedAddress, Tag("saved")] | Annotated[GivenAddress, Tag("given")], Discriminator(_kind_of_address)
]


class DestinationLine(Wire):
    variant_id: WireId
    quantity: Quantity


class Destination(Wire):
    """Units of the order that go to another address than the order's."""

    shipping_address: ShippingAddress
    lines: Annotated[list[DestinationLine], Field(min_length=1, max_length=100)]


class PaymentMethod(Wire):
    """`token` comes from the payment provider; a card number is refused."""

    type: PaymentType
    token: Annotated[_Text, Field(min_length=1, max_length=200)]


class AskedOrder(Wire):
    """What is to be bought, and where it goes: all of an order but its payment."""

    items: Annotated[list[OrderLine], Field(min_length=1, max_length=100)] | None = None
    shipping_address: ShippingAddress
    destinations: Annotated[list[Destination], Field(min_length=1, max_length=20)] | None = None
    delivery_speed: Speed = "standard"
    shipping_preference: ShippingPreference = "as_ready"
    email: Annotated[_Text, Field(max_length=255, pattern=MAIL_ADDRESS)] | None = None
    birth_date: AskedBirthDate = None
    expected_total: Amount | None = None
    coupon_codes: Annotated[list[Code], Field(max_length=MOST_CODES, default_factory=list)]


class PlaceOrder(AskedOrder):
    """Without `items` the cart is ordered, with its codes; `couponCodes` are for orders with `items`.

    `destinations`: units that go elsewhere than to `shippingAddress`; tax, fee and promise are of each address.
    `shippingPreference`: `together` lets the parcels of one seller wait for each other and arrive by the latest day of
    theirs. `birthDate`: the buyer's, for what is sold from an age on; it is not kept. `expectedTotal`: the total that
    the buyer saw; the order is refused with 409 when it differs,
    and without it also when a code takes nothing off.
    """

    payment_method: PaymentMethod


class PreviewOrder(AskedOrder):
    """What `PlaceOrder` has, but for the payment. A guest's `email` counts how often the codes were used."""


class AcceptedPayment(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: str
    token: str


class AcceptedOrder(BaseModel):
    """What the rest of a checkout needs of its request, read from its row. It was accepted once, maybe by an earlier
    version of the rules, and is not judged again: its checkout must end."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    payment_method: AcceptedPayment
    delivery_speed: str
    # The default is for requests that were accepted before it could be chosen.
    shipping_preference: ShippingPreference = "as_ready"
    email: str | None = None


class PlacedOrder(Wire):
    order_id: WireId
    order_number: str
    status: str
    estimated_delivery: date
    total: Amount


class PreviewLine(Wire):
    """`kit`: what it is bought as a part of, at its share of the kit's price; null for others."""

    product_id: WireId
    variant_id: WireId
    quantity: int
    price: Amount
    tax_amount: Amount
    kit: KitOfLine | None


class PreviewParcel(Wire):
    """What one seller would send from one warehouse to one address. `expectedOn`: when its units are expected there,
    null where they are in stock. `digital`: it is delivered online, and goes nowhere."""

    number: int
    seller_id: WireId
    digital: bool
    shipping_address: dict[str, str]
    promised_on: date | None
    expected_on: date | None
    lines: list[PreviewLine]


class OrderPreview(Wire):
    """What the order would cost, where and when it would arrive. `total` is the `expectedTotal` of the order."""

    currency: str
    subtotal: Amount
    tax: Amount
    tax_included: Amount
    shipping: Amount
    discount: Amount
    total: Amount
    estimated_delivery: date
    parcels: list[PreviewParcel]


class PlanLine(BaseModel):
    """`snapshot` goes into the order's line, and `allocation`, why this warehouse sends it, into its parcel, in the
    commit that stores the plan: the stored plan is without them."""

    model_config = ConfigDict(frozen=True)

    order_item_id: UUID
    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    warehouse_id: UUID
    quantity: int
    unit_price: Decimal
    promised_on: date | None = None
    # When backordered units are expected in the warehouse; None for those that it has.
    expected_on: date | None = None
    allocation: Annotated[dict[str, object] | None, Field(exclude=True)] = None
    # The number of its destination: 0 for the order's own address. The parcel keeps it.
    destination: Annotated[int, Field(exclude=True)] = 0
    # It is delivered online; its parcel keeps that.
    digital: Annotated[bool, Field(exclude=True)] = False
    snapshot: Annotated[Snapshot | None, Field(exclude=True)] = None

    @property
    def taken_snapshot(self) -> Snapshot:
        """The snapshot of a plan that was made by this process."""
        if self.snapshot is None:
            raise AssertionError(f"line {self.order_item_id} of a stored plan has no snapshot")
        return self.snapshot


class PlanCartLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    cart_item_id: UUID
    quantity: int


class PlanCart(BaseModel):
    """The cart that is ordered: the version that was read, its lines and its codes."""

    model_config = ConfigDict(frozen=True)

    cart_id: UUID
    version: int
    lines: list[PlanCartLine]
    coupons: str | None = None


class PlanRedemption(BaseModel):
    """A promotion that the order redeems by `code`, as it was at `version`; `lines`: (order line, amount off it)."""

    model_config = ConfigDict(frozen=True)

    redemption_id: UUID
    promotion_id: UUID
    version: int
    code: str
    email: str | None
    discount: Decimal
    lines: list[tuple[UUID, Decimal]]


class Plan(BaseModel):
    """Everything decided before stock is held: prices, warehouses, amounts, the ids of what will be written."""

    model_config = ConfigDict(frozen=True)

    order_id: UUID
    order_number: str
    payment_id: UUID
    # The default is for plans that were stored before gateways had names.
    gateway: str = "sandbox"
    currency: str
    subtotal: Decimal
    tax: Decimal
    tax_included: Decimal = ZERO
    shipping: Decimal
    discount: Decimal
    total: Decimal
    address: dict[str, str]
    estimated_delivery: date
    from_cart: bool
    # None when `items` are ordered, and in plans of carts that were stored before carts were claimed.
    cart: PlanCart | None = None
    # Addresses other than `address`, by the numbers of the lines' destinations.
    destinations: Annotated[dict[int, dict[str, str]], Field(exclude=True)] = {}
    lines: list[PlanLine]
    redemptions: Sequence[PlanRedemption] = ()

    @property
    def promotions(self) -> list[UUID]:
        """Those that are redeemed."""
        return [one.promotion_id for one in self.redemptions]
