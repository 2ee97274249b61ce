"""Bodies of the gateway's API. Amounts are decimal strings ("12.34"), as gateways write them."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

Kind = Literal["authorisation", "capture", "void", "refund"]
Status = Literal["authorised", "declined", "captured", "voided", "refunded"]
GatewayAmount = Annotated[
    Decimal, Field(gt=0, max_digits=12, decimal_places=2), PlainSerializer("{:.2f}".format, return_type=str)
]
Key = Annotated[str, Field(min_length=1, max_length=100)]


class Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class AuthorisationRequest(Body):
    """`reference` is the merchant's own name for the purchase; two captures
    with one reference would be a double charge."""

    key: Key
    amount: GatewayAmount
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    token: Annotated[str, Field(min_length=1, max_length=200)]
    reference: Annotated[str, Field(min_length=1, max_length=200)]


class MoneyRequest(Body):
    """A capture or a refund of (part of) an authorisation."""

    key: Key
    authorisation_key: Key
    amount: GatewayAmount


class VoidRequest(Body):
    """The void of an authorisation. If it does not exist yet, a later authorisation with that key is declined."""

    key: Key
    authorisation_key: Key


class Entry(Body):
    """One row of the ledger.

    `parentKey` is the authorisation that a capture, void or refund belongs to, null on an authorisation.
    """

    key: Key
    kind: Kind
    status: Status
    parent_key: Key | None = None
    amount: Annotated[
        Decimal, Field(ge=0, max_digits=12, decimal_places=2), PlainSerializer("{:.2f}".format, return_type=str)
    ]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reference: Annotated[str, Field(max_length=200)]
    reason: str | None = None
    origin: Literal["native", "import"] = "native"


class LedgerEntry(Entry):
    """`sequence` counts from 1 in the order of commits; `gatewayReference` is what the answer called the operation."""

    sequence: int
    gateway_reference: str
    created_at: str


class LedgerPage(Body):
    """`next` is the `after` of the following page, null on the last one."""

    entries: list[LedgerEntry]
    next: int | None


class Faults(Body):
    """Faults for tests: a delay before every answer; a number of answers lost after the commit; or all calls fail."""

    delay_seconds: Annotated[float, Field(ge=0, le=120)] = 0.0
    resets_after_commit: Annotated[int, Field(ge=0)] = 0
    unavailable: bool = False
