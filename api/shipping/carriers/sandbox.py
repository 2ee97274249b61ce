"""The adapter of the carrier that `python -m api.sandbox` runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.outbound import Answer, OutboundClient
from api.kernel.texts import OneLine
from api.shipping import signatures
from api.shipping.carriers.interface import CarrierRefused, Label, Offer, Packed, Place
from api.shipping.scans import Scan, ScanKind

MAX_EVENTS = 100


class _Event(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    event_id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$")]
    tracking_number: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9 .\-]*$")]
    kind: ScanKind
    occurred_at: Annotated[AwareDatetime, Field(strict=False)]
    place: Annotated[OneLine, Field(max_length=200)] | None = None
    note: Annotated[OneLine, Field(max_length=200)] | None = None


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    events: Annotated[list[_Event], Field(min_length=1, max_length=MAX_EVENTS)]


@dataclass(frozen=True, slots=True)
class SandboxCarrier:
    """One sandbox; `name` is its name in the settings, `key` what it signs its messages with."""

    client: OutboundClient
    name: str
    key: str
    tolerance_seconds: float

    async def rates(self, parcel: Packed) -> list[Offer]:
        answer = _taken(await self.client.post("/carrier/v1/rates", _body(parcel)))
        return [
            Offer(str(one["service"]), one["speed"], Decimal(str(one["price"])), date.fromisoformat(one["arrivesOn"]))
            for one in answer["offers"]
        ]

    async def buy(self, key: str, parcel: Packed, service: str, price: Decimal) -> Label:
        body = {**_body(parcel), "key": key, "service": service, "price": str(price), "reference": parcel.reference}
        answer = _taken(await self.client.post("/carrier/v1/labels", body))
        return Label(
            str(answer["trackingNumber"]), Decimal(str(answer["price"])), date.fromisoformat(answer["arrivesOn"])
        )

    async def cancel(self, key: str) -> None:
        _taken(await self.client.post("/carrier/v1/labels/cancel", {"key": key}))

    def scans(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Scan]:
        signatures.check(self.key, headers.get(signatures.HEADER), body, now, self.tolerance_seconds)
        try:
            message = _Message.model_validate_json(body)
        except ValidationError as error:
            raise _malformed(error) from None
        late = now.timestamp() + self.tolerance_seconds
        errors = [
            FieldError(pointer=f"/events/{place}/occurredAt", message="lies in the future")
            for place, event in enumerate(message.events)
            if event.occurred_at.timestamp() > late
        ]
        if errors:
            raise ValidationFailed("Send an event when it has happened.", errors=errors)
        return [Scan(**event.model_dump()) for event in message.events]


def _taken(answer: Answer) -> dict[str, Any]:  # Any: the carrier's JSON
    if answer.status >= 400:
        raise CarrierRefused(str(answer.body.get("error", answer.status)))
    return answer.body


def _body(parcel: Packed) -> dict[str, object]:
    return {
        "from": _place(parcel.sender),
        "to": _place(parcel.recipient),
        "weightGrams": parcel.weight_grams,
        "currency": parcel.currency,
    }


def _place(place: Place) -> dict[str, str]:
    return {to_camel(name): value for name, value in asdict(place).items()}


def _malformed(error: ValidationError) -> ValidationFailed:
    """Every event that is wrong, by its place in the message."""
    errors = [
        FieldError(pointer="".join(f"/{step}" for step in one["loc"]), message=one["msg"])
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return ValidationFailed("Nothing of the message was taken; correct the events named in `errors`.", errors=errors)
