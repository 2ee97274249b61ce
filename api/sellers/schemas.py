"""Bodies of requests and answers about a store."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.kernel.contacts import Email, Phone
from api.kernel.schemas import Wire, WireTime
from api.kernel.texts import OneLine, Prose, SomeLines

Line = Annotated[OneLine, Field(min_length=1, max_length=255)]
Policy = Annotated[Prose, Field(max_length=5_000)]


class PostalAddress(Wire):
    """`country` by its ISO 3166 code or its name; `state` and `zipCode` where its addresses have them."""

    street: Annotated[SomeLines, Field(min_length=1, max_length=500, examples=["1 Mill Lane"])]
    city: Line
    state: Line | None = None
    zip_code: Annotated[OneLine, Field(max_length=20)] | None = None
    country: Annotated[OneLine, Field(min_length=2, max_length=100, examples=["GB"])]


class SafetyContact(Wire):
    """Who answers for the safety of the store's products."""

    name: Line
    email: Email
    phone: Phone | None = None


class Policies(Wire):
    shipping: Policy | None = None
    returns: Policy | None = None


class TraderData(Wire):
    """What the law lets a buyer know of who sells by trade."""

    legal_name: Line
    address: PostalAddress
    email: Email
    phone: Phone
    registration_number: Annotated[OneLine, Field(min_length=1, max_length=50, examples=["HRB 12345"])] | None = None
    vat_number: Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9A-Z]{2,13}$", examples=["GB123456789"])] | None = None


class StoreIn(Wire):
    """The whole profile. A seller who is a `trader` has `contact`, which everybody sees; a private seller's is seen by
    nobody else."""

    name: Line
    about: Annotated[Prose, Field(max_length=5_000)] | None = None
    policies: Policies = Field(default_factory=Policies)
    trader: bool
    contact: TraderData | None = None
    safety_contact: SafetyContact | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.trader and self.contact is None:
            raise ValueError("a trader needs contact: legalName, address, email, phone")
        return self


class Store(Wire):
    """`since` when the store was opened. `contact`: of a trader, null of a private seller and before it is given."""

    seller_id: UUID
    name: str
    about: str | None
    country: str
    rating: Annotated[float, Field(ge=0, le=5)]
    verified: bool
    since: WireTime
    policies: Policies
    trader: bool
    contact: TraderData | None
    safety_contact: SafetyContact | None
    products: str = Field(examples=["/api/v1/products?sellerId=0198b7a4-0000-7000-8000-000000000000"])
