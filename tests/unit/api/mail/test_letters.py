"""What a mail says, and that the same row always says it with the same bytes."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from importlib import resources
from typing import Any
from uuid import UUID

import pytest

from api.mail.letters import KINDS, Letter, NoAddress, Unwritable, written

ID, AT = UUID(int=7), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SENDER = "Souk <no-reply@souk.example>"
DATA: dict[str, Any] = {
    "parcel": 1, "amount": "12.50",
    "number": "112-1234567-1234567", "currency": "EUR", "total": "12.50", "delivery": "2026-01-05",
    "until": "2026-04-02", "lines": [{"quantity": 2, "title": "<b>Cup</b> & \u202egnp.exe\x07", "amount": "12.50"}],
}  # fmt: skip


def letter(**changed: Any) -> Letter:
    return Letter(**{
        "mail_id": ID, "kind": "order-confirmation", "recipient": "anna@example.com", "data": DATA, "created_at": AT,
        "token": "the-code", **changed,
    })  # fmt: skip


def read(changed: Letter) -> EmailMessage:
    """The letter as a mail program reads it."""
    message = message_from_bytes(written(changed, SENDER), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_has_both_forms_and_the_html_is_escaped() -> None:
    message = read(letter())

    assert (message["To"], message["From"]) == ("anna@example.com", SENDER)
    assert (message["Subject"], message["Message-ID"]) == ("Your order 112-1234567-1234567", f"<{ID}@souk.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = body(message, "plain"), body(message, "html")
    assert "2 x <b>Cup</b> &  gnp.exe : 12.50 EUR" in text
    assert "&lt;b&gt;Cup&lt;/b&gt; &amp;  gnp.exe " in html
    assert "<b>Cup" not in html
    for form in (text, html):
        assert "the-code" in form
        assert "2026-04-02" in form
        assert "\u202e" not in form
    assert len(written(letter(), SENDER)) < 4_000


@pytest.mark.parametrize("kind", ["order-confirmation", "order-edited"])
def test_a_kit_has_its_components_under_it(kind: str) -> None:
    parts = [{"quantity": 1, "title": "<Camera>"}, {"quantity": 3, "title": "Film"}]
    kit = {"quantity": 1, "title": "Set", "amount": "35.00", "parts": parts}
    message = read(letter(kind=kind, data={**DATA, "lines": [kit], "charged": None, "refunded": None}))

    assert "1 x Set: 35.00 EUR\n    1 x <Camera>\n    3 x Film\nTotal" in body(message, "plain")
    assert "1 &times; &lt;Camera&gt;" in body(message, "html")


def test_without_a_token_nothing_is_said_of_one() -> None:
    for form in ("plain", "html"):
        assert "code" not in body(read(letter(token=None)), form)


def test_the_same_row_gives_the_same_bytes() -> None:
    assert written(letter(), SENDER) == written(letter(), SENDER)
    assert written(letter(mail_id=UUID(int=8)), SENDER) != written(letter(), SENDER)


def test_every_kind_can_be_written() -> None:
    assert set(KINDS) == {
        *("order-confirmation", "order-claim", "order-edited", "units-cancelled", "parcel-lost", "parcel-lost-seller"),
        *("backorder-ready", "backorder-late", "digital-ready", "return-label"),
        *("product-approved", "product-rejected", "product-removed", "product-kept"),
        *("report-received", "report-decided", "objection-decided", "review-request"),
        *("review-published", "review-queued", "review-rejected"),
    }
    asked = {"title": "<Cup>", "link": "https://souk.example/p", "unsubscribe": "https://souk.example/u"}
    request = read(letter(kind="review-request", data=asked))
    assert "&lt;Cup&gt;" in body(request, "html")
    assert {"    https://souk.example/p", "    the-code"} <= set(body(request, "plain").splitlines())
    for kind in ("published", "queued", "rejected"):
        told = read(letter(kind=f"review-{kind}", data={"title": "<Cup>", "reason": "Too <big>.", "appeal": True}))
        assert "Too <big>." in body(told, "plain")
        assert "Too &lt;big&gt;." in body(told, "html")
        assert "&lt;Cup&gt;" in body(told, "html")
    product = {"title": "<Cup>", "reason": None}
    for kind in ("approved", "rejected", "removed", "kept"):
        told = read(letter(kind=f"product-{kind}", data={**product, "reason": "Too <big>."}))
        assert "Too <big>." in body(told, "plain")
        assert "Too &lt;big&gt;." in body(told, "html")
        assert "&lt;Cup&gt;" in body(told, "html")
    assert "None" not in body(read(letter(kind="product-approved", data=product)), "plain")
    for kind, decision, words in (
        ("report-decided", "remove", "It was taken off sale."), ("report-decided", "keep", "It may be sold."),
        ("objection-decided", "remove", "It stays off sale."), ("objection-decided", "keep", "may be sold again."),
    ):  # fmt: skip
        data = {"number": "REP-1", "title": "<Cup>", "decision": decision, "reason": "Too <big>."}
        told = read(letter(kind=kind, data=data))
        for form, title in (("plain", "<Cup>"), ("html", "&lt;Cup&gt;")):
            assert words in body(told, form)
            assert title in body(told, form)
    received = read(letter(kind="report-received", data={"number": "REP-1", "title": "<Cup>"}))
    assert received["Subject"] == "Your report REP-1"
    assert "\n    the-code\n" in body(received, "plain")
    edited = {**letter().data, "charged": "12.96", "refunded": None}
    assert "Charged now: 12.96" in body(read(letter(kind="order-edited", data=edited)), "plain")
    assert "the-code" in body(read(letter(kind="order-claim", data={"until": "then"})), "plain")
    lost = {"number": "112-1", "currency": "EUR", "amount": "9.99", "reason": "it was damaged",
            "lines": [{"quantity": 2, "title": "<Cup>"}]}  # fmt: skip
    message = read(letter(kind="units-cancelled", data=lost, token=None))
    assert message["Subject"] == "A part of your order 112-1 will not be sent"
    for form, title in (("plain", "2 x <Cup>"), ("html", "&lt;Cup&gt;")):
        assert "because it was damaged:" in body(message, form)
        assert "9.99 EUR goes back" in body(message, form)
        assert title in body(message, form)
    come = {"number": "112-1", "parcel": 2, "delivery": "2026-12-10", "lines": lost["lines"]}
    message = read(letter(kind="backorder-ready", data=come, token=None))
    assert message["Subject"] == "A part of your order 112-1 is there"
    for form, title in (("plain", "2 x <Cup>"), ("html", "&lt;Cup&gt;")):
        assert "2026-12-10" in body(message, form)
        assert title in body(message, form)
    assert "was to arrive by 2026-12-10" in body(read(letter(kind="backorder-late", data=come, token=None)), "plain")
    message = read(letter(kind="digital-ready", data={"number": "112-1", "lines": lost["lines"]}, token=None))
    assert message["Subject"] == "What you bought online is ready: order 112-1"
    for form, title in (("plain", "2 x <Cup>"), ("html", "&lt;Cup&gt;")):
        assert title in body(message, form)
    label = {"number": "112-1", "rma": "RMA-1", "carrier": "sandbox", "labels": "https://souk.example/labels/",
             "lines": lost["lines"]}  # fmt: skip
    message = read(letter(kind="return-label", data=label))
    assert message["Subject"] == "The label for your return of order 112-1"
    assert "\nhttps://souk.example/labels/the-code.pdf\n" in body(message, "plain")
    assert '<a href="https://souk.example/labels/the-code.pdf">' in body(message, "html")
    unsaid = read(letter(kind="units-cancelled", data={**lost, "reason": None}, token=None))
    assert "because" not in body(unsaid, "plain")


def test_every_mail_follows_the_dark_colours_of_its_reader() -> None:
    folder = resources.files("api.mail") / "templates"
    heads = {kind: (folder / f"{kind}.html").read_text().split("<body")[0] for kind in KINDS}
    (head,) = set(heads.values())
    assert '<meta name="color-scheme" content="light dark">' in head


@pytest.mark.parametrize("changed", [{"data": {}}, {"kind": "unknown"}])
def test_what_cannot_be_written_says_so(changed: dict[str, Any]) -> None:
    with pytest.raises(Unwritable):
        written(letter(**changed), SENDER)


@pytest.mark.parametrize(
    "recipient",
    ["a,b@example.com", "anna@example.com\r\nBcc: eve@example.com", "nobody", "", "ünï@example.com", "a@b@c.example"],
)
def test_what_is_no_address_says_so(recipient: str) -> None:
    with pytest.raises(NoAddress):
        written(letter(recipient=recipient), SENDER)


def test_no_header_comes_from_a_title_or_number() -> None:
    message = read(letter(data={**DATA, "number": "1\r\nBcc: eve@example.com"}))

    assert message["Bcc"] is None
    assert message["Subject"] == "Your order 1 Bcc: eve@example.com"
