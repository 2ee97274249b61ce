"""What a request asks for, as it is offered now."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.catalog.purchase import Wanted
from api.catalog.restrictions.rules import Limits
from api.kernel.idempotency import KeptKey


@dataclass(frozen=True, slots=True)
class Offer:
    """The offer of one variant, what it is called, and its stock in each warehouse. `list_price` per unit.

    `components`: what one unit of a kit has, each with its offer; `why_not`: why it is not for sale, where that needs
    words.
    """

    variant_id: UUID
    product_id: UUID
    seller_id: UUID
    currency: str
    for_sale: bool
    title: str
    sku: str
    attributes: dict[str, object]
    image_url: str
    list_price: Decimal | None
    category: str
    condition: str | None
    limits: Limits | None
    sold_as: Wanted
    kind: str = "physical"
    components: Sequence["Offer"] = ()
    units_in_kit: int = 1
    why_not: str = "this product is not for sale"

    @property
    def buyable(self) -> int:
        """How many of it can be ordered."""
        if self.components:
            return min(one.buyable // one.units_in_kit for one in self.components)
        return sum(level.buyable for level in self.sold_as.levels)


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One line of the request or of the cart."""

    product_id: UUID
    variant_id: UUID
    quantity: int
    cart_item_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class QuotedCart:
    """The cart that a request orders: the checkout that claims it, and (id, number) of the order that took what was in
    it, if nothing changed since."""

    cart_id: UUID
    version: int
    claimed_by: UUID | None
    coupons: str | None
    order: tuple[UUID, str] | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What the database knows about a request: its key if it was sent before, its cart, its lines and their offers, and
    the saved address that it names."""

    kept: KeptKey | None
    cart: QuotedCart | None
    lines: Sequence[WantedLine]
    offers: dict[UUID, Offer]
    saved_address: dict[str, str] | None
