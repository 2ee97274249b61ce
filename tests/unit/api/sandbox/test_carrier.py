"""The sandbox carrier's rules: one label per key, at the price of its offer; scans go on until the door."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.kernel import clock
from api.sandbox.carrier.book import WAY, Book
from api.sandbox.carrier.rates import offers
from api.sandbox.carrier.schemas import AdvanceRequest, LabelRequest, RatesRequest
from api.sandbox.record import Refused

PLACE = {"name": "N", "street": "1 High Street", "city": "Chicago", "state": "IL", "zipCode": "60601", "country": "US"}
FRIDAY = date(2026, 11, 27)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(tmp_path / "carrier.sqlite")
    yield made
    made._db.close()  # noqa: SLF001 - a process ends; a test must close


def label(key: str = "k", **fields: Any) -> LabelRequest:
    body = {
        "from": PLACE, "to": PLACE, "weightGrams": 900, "currency": "USD",
        "key": key, "service": "sandbox-standard", "price": "5.40", "reference": "112/1",
    }  # fmt: skip
    return LabelRequest.model_validate({**body, **fields})


def rates(grams: int, country: str = "US") -> dict[str, tuple[Decimal, date]]:
    body = {"from": PLACE, "to": {**PLACE, "country": country}, "weightGrams": grams, "currency": "USD"}
    return {one.service: (one.price, one.arrives_on) for one in offers(RatesRequest.model_validate(body), FRIDAY)}


def advance(book: Book, number: str, **fields: Any) -> str:
    return book.advance(AdvanceRequest.model_validate({"trackingNumber": number, **fields})).kind


def test_rates_follow_weight_and_distance() -> None:
    assert rates(1_000) == {
        "sandbox-economy": (Decimal("3.90"), date(2026, 12, 4)),
        "sandbox-standard": (Decimal("5.40"), date(2026, 12, 2)),
        "sandbox-express": (Decimal("9.80"), date(2026, 11, 30)),
    }
    assert rates(1_001)["sandbox-economy"][0] == Decimal("4.80")
    assert rates(1_000, "DE")["sandbox-express"] == (Decimal("24.50"), date(2026, 12, 2))
    assert rates(30_001) == {}


def test_one_key_is_one_label(book: Book) -> None:
    first, new = book.buy(label())
    again, repeated = book.buy(label())
    other, _ = book.buy(label("k2"))

    assert (new, repeated, again) == (True, False, first)
    assert other.tracking_number != first.tracking_number
    assert [one.key for one in book.labels()] == ["k", "k2"]


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ({"price": "5.39"}, "price_changed", 409),
        ({"service": "none"}, "unknown_service", 422),
        ({"weightGrams": 30_001}, "too_heavy", 422),
    ],
)
def test_what_cannot_be_bought_is_refused(book: Book, fields: dict[str, Any], code: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        book.buy(label(**fields))
    assert (refused.value.code, refused.value.status, book.labels()) == (code, status, [])


def test_a_key_means_one_thing(book: Book) -> None:
    book.buy(label())
    with pytest.raises(Refused, match="another label"):
        book.buy(label(service="sandbox-express", price="20.00"))


def test_a_label_goes_back_until_it_is_scanned(book: Book) -> None:
    bought, _ = book.buy(label())
    assert book.cancel("k")[1]
    assert not book.cancel("k")[1]
    assert [one.status for one in book.labels()] == ["cancelled"]
    scanned, _ = book.buy(label("k2"))
    advance(book, scanned.tracking_number)
    with pytest.raises(Refused, match="on its way"):
        book.cancel("k2")
    # One that is cancelled before it is bought is never bought.
    assert book.cancel("k3")[1]
    with pytest.raises(Refused, match="before it was bought"):
        book.buy(label("k3"))
    assert bought.tracking_number != scanned.tracking_number


def test_a_parcel_goes_its_way_and_scans_wait_until_they_are_taken(book: Book) -> None:
    number = book.buy(label())[0].tracking_number
    assert [advance(book, number) for _ in WAY] == [kind for kind, _ in WAY]
    with pytest.raises(Refused, match="has arrived"):
        advance(book, number)
    assert advance(book, number, kind="exception", note="nobody there") == "exception"
    waiting = book.waiting(10)
    assert [event.kind for event in waiting] == [*(kind for kind, _ in WAY), "exception"]
    book.took(waiting[:3])
    assert book.waiting(10) == waiting[3:]
    with pytest.raises(Refused, match="no label"):
        advance(book, "SBX0")


def test_parcels_move_by_themselves(book: Book) -> None:
    number = book.buy(label())[0].tracking_number
    assert book.advance_due(timedelta(hours=1)) is not None
    assert book.waiting(10) == []
    for _ in range(6):
        following = book.advance_due(timedelta(0))
    assert [event.kind for event in book.waiting(10)] == [kind for kind, _ in WAY]
    assert {event.tracking_number for event in book.waiting(10)} == {number}
    assert following is None
    assert book.waiting(1)[0].occurred_at <= clock.now()
