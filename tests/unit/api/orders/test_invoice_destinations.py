"""What a document of an order to several addresses says: where its parcels go, and the tax of each destination."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pypdfium2
import pytest

from api.kernel.money import ZERO
from api.orders.invoices import paper
from api.orders.invoices.amounts import Bill, Billed
from api.orders.invoices.content import Reference, Sale, Store, Words, content_of
from api.payments.parts import Parts

SELLER = UUID(int=1)
HOME = {"name": "Zoë", "street": "Weg 1", "city": "Köln", "zipCode": "50667", "country": "DE"}
LISBON = {"name": "Ana", "street": "Rua Augusta 1", "city": "Lisboa", "zipCode": "1100-048", "country": "PT"}
BONN = {"street": "Markt 2", "city": "Bonn", "zipCode": "53111", "country": "DE"}
SENDING = Parts(ZERO, Decimal("0.95"), Decimal("5.00"))


def content(*lines: tuple[dict[str, str] | None, str], shipping: Parts = SENDING) -> dict[str, Any]:
    """An invoice of one unit at 100.00 a line, sent (where, with which rate)."""
    words, billed = {}, []
    for number, (place, rate) in enumerate(lines, 1):
        item = UUID(int=100 + number)
        words[item] = Words(f"Thing {number}", f"S-{number}", {}, Decimal("100.00"), Decimal(rate), False, place)
        billed.append(Billed(item, 1, Decimal("100.00"), (100 * Decimal(rate)).quantize(Decimal("0.01"))))
    at = datetime(2026, 11, 5, tzinfo=UTC)
    sale = Sale(UUID(int=7), "112-1-1", "EUR", at, HOME, "DE", None, None)
    shop = Store(SELLER, "Haus", "DE", is_deemed_supplier=False)
    bill = Bill(SELLER, tuple(billed), shipping, Parts())
    return content_of(sale, shop, bill, words, Reference("invoice", "INV-1", at))


def said(document: dict[str, Any], *, with_buyer: bool = True, template: int = paper.NEWEST) -> str:
    drawn = pypdfium2.PdfDocument(paper.draw(document, template, with_buyer=with_buyer))
    return "\n".join(drawn[page].get_textpage().get_text_range() for page in range(len(drawn)))


THREE = ((None, "0.19"), (LISBON, "0.23"), (BONN, "0.19"), (LISBON, "0.06"))


def test_the_addresses_are_those_of_the_lines_each_once() -> None:
    document = content(*THREE)
    assert [one["address"] for one in document["shipTo"]] == [
        ["Weg 1", "Köln 50667", "DE"],
        ["Rua Augusta 1", "Lisboa 1100-048", "PT"],
        ["Markt 2", "Bonn 53111", "DE"],
    ]
    assert [one["name"] for one in document["shipTo"]] == ["Zoë", "Ana", None]
    assert document["shipToOfLines"] == [1, 2, 3, 2]


def test_the_taxes_of_each_destination_add_up_to_the_document() -> None:
    document = content(*THREE)
    rows = document["taxesByDestination"]
    assert [(one["shipTo"], one["rate"], one["net"], one["tax"]) for one in rows] == [
        (1, "0.19", "100.00", "19.00"),
        (2, "0.23", "100.00", "23.00"),
        (2, "0.06", "100.00", "6.00"),
        (3, "0.19", "100.00", "19.00"),
        (None, None, "5.00", "0.95"),
    ]
    for name in ("net", "tax", "total"):
        assert sum(Decimal(one[name]) for one in rows) == Decimal(document[name])
        assert sum(Decimal(one[name]) for one in document["taxes"]) == Decimal(document[name])


def test_destinations_of_one_rate_need_no_summary_of_their_own() -> None:
    document = content((None, "0.19"), (BONN, "0.19"))
    assert "taxesByDestination" not in document
    assert "Ship to 2" in said(document)


@pytest.mark.parametrize("lines", [[(None, "0.19")], [(None, "0.19"), (HOME, "0.07")]])
def test_an_order_to_one_address_says_what_it_said_before(lines: list[tuple[dict[str, str] | None, str]]) -> None:
    document = content(*lines)
    assert not {"shipTo", "shipToOfLines", "taxesByDestination"} & set(document)
    assert paper.draw(document, 2, with_buyer=True) == paper.draw(document, 1, with_buyer=True)


def test_what_is_sent_elsewhere_alone_says_where() -> None:
    document = content((LISBON, "0.23"))
    assert [one["country"] for one in document["shipTo"]] == ["PT"]
    assert "Rua Augusta 1" in said(document)
    # The negative control: the first template knows the order's address only.
    assert "Rua Augusta 1" not in said(document, template=1)


def test_the_paper_says_the_addresses_to_the_buyer_and_countries_to_the_seller() -> None:
    document = content(*THREE)
    buyers, sellers = said(document), said(document, with_buyer=False)
    for words in ("Rua Augusta 1", "Lisboa 1100-048", "Markt 2", "Ship to 3", "Ship to 2: 23 %", "Shipping and other"):
        assert words in buyers
    for words in ("Rua Augusta", "Lisboa", "Ana", "Markt 2", "Weg 1", "Zoë"):
        assert words not in sellers
    assert "Ship to 2: 6 %" in sellers
    assert "PT" in sellers


def test_many_addresses_take_more_pages() -> None:
    places = [{**LISBON, "street": f"Rua {number}"} for number in range(20)]
    document = content(*((place, "0.23" if number % 2 else "0.06") for number, place in enumerate(places)))
    words = said(document)
    assert [f"Rua {number}" in words for number in range(20)] == [True] * 20
    assert [f"Ship to {number}: " in words for number in range(1, 21)] == [True] * 20


def test_the_second_template_keeps_its_bytes() -> None:
    drawn = [paper.draw(content(*THREE), 2, with_buyer=True) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert hashlib.sha256(drawn[0]).hexdigest() == "ff4158f0172b8bbf0dbb4c2e81669f76cdf78fd43eb318bc40fa818962dec37d"


def test_only_what_has_lines_says_where_they_go() -> None:
    empty = replace(Bill(SELLER, (), Parts(), Parts(Decimal(1))), fee=ZERO)
    at = datetime(2026, 11, 5, tzinfo=UTC)
    sale = Sale(UUID(int=7), "112-1-1", "EUR", at, HOME, "DE", None, None)
    shop = Store(SELLER, "Haus", "DE", is_deemed_supplier=False)
    assert "shipTo" not in content_of(sale, shop, empty, {}, Reference("credit_note", "CN-1", at))
