"""What a document says of lines that were bought as a kit."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pypdfium2

from api.orders.invoices import paper
from api.orders.invoices.amounts import Bill, Billed
from api.orders.invoices.content import Reference, Sale, Store, Words, content_of
from api.payments.parts import Parts

HOME = {"street": "Weg 1", "city": "Köln", "zipCode": "50667", "country": "DE"}
BONN = {"street": "Markt 2", "city": "Bonn", "zipCode": "53111", "country": "DE"}
SET = {"variantId": str(UUID(int=50)), "title": "Camera set", "sku": "K", "quantity": 2, "price": "35.00"}


def content(*lines: tuple[str, dict[str, Any] | None], elsewhere: int | None = None) -> dict[str, Any]:
    """An invoice of one unit at 10.00 a line; the line with the number `elsewhere` is sent to Bonn."""
    words, billed = {}, []
    for number, (title, kit) in enumerate(lines):
        item = UUID(int=100 + number)
        place = BONN if number == elsewhere else None
        words[item] = Words(title, "", {}, Decimal("10.00"), Decimal("0.19"), False, place, kit)
        billed.append(Billed(item, 1, Decimal("10.00"), Decimal("1.90")))
    at = datetime(2026, 11, 5, tzinfo=UTC)
    sale = Sale(UUID(int=7), "112-1-1", "EUR", at, HOME, "DE", None, None)
    shop = Store(UUID(int=1), "Haus", "DE", is_deemed_supplier=False)
    bill = Bill(UUID(int=1), tuple(billed), Parts(), Parts())
    return content_of(sale, shop, bill, words, Reference("invoice", "INV-1", at))


def said(document: dict[str, Any], template: int = paper.NEWEST) -> str:
    drawn = pypdfium2.PdfDocument(paper.draw(document, template, with_buyer=True))
    return "\n".join(drawn[page].get_textpage().get_text_range() for page in range(len(drawn)))


def places(text: str, *words: str) -> list[int]:
    """Where they stand in the text, in its order."""
    found = [text.index(word) for word in words]
    assert found == sorted(found), text
    return found


LINES = (("Camera", SET), ("Mug", None), ("Film", SET))


def test_the_parts_of_a_kit_stand_together_under_its_name() -> None:
    text = said(content(*LINES))

    places(text, "Camera set, 2 units ordered:", "– Camera", "– Film", "Mug")
    assert text.count("Camera set") == 1
    # The negative control: an earlier template knows no kits.
    assert "Camera set" not in said(content(*LINES), template=2)


def test_each_line_keeps_its_address() -> None:
    text = said(content(*LINES, elsewhere=1))

    places(text, "– Camera\r\nShip to 1", "– Film\r\nShip to 1", "Mug\r\nShip to 2")


def test_a_document_without_kits_is_what_it_was() -> None:
    document = content(("Camera", None), ("Mug", None))

    assert "kit" not in document["lines"][0]
    assert paper.draw(document, 3, with_buyer=True) == paper.draw(document, 2, with_buyer=True)


def test_the_third_template_keeps_its_bytes() -> None:
    drawn = paper.draw(content(*LINES), 3, with_buyer=True)

    assert hashlib.sha256(drawn).hexdigest() == "e53b5a483e88704c909b0b53164185c8dcb4df7b21d7c212e308a3c130a6880a"
