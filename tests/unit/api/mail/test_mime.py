"""Every mail program reads the subject, the address and both texts that were written, whatever is in them."""

from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.mail import mime

BOUNDARY = "=_0123456789abcdef"
# What confuses writers of mail: their own marks, line ends of every kind, spaces at the end, text from right to left.
ODD = st.sampled_from([
    "=", "=3D", "=\n", "=?utf-8?q?a?=", "--" + BOUNDARY, "--" + BOUNDARY + "--", "\n.\n", "\nFrom x", "Bcc: eve@a.b",
    " ", "\t", " \n", "\t\n", "\r", "\r\n", "\n\n", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\ufeff", "\u202e",
    "é", "水", "\U0001f375", "e\u0301", "a" * 73, "a" * 75, "a" * 80, "水" * 40, "a" * 2_000,
])  # fmt: skip
TEXTS = st.lists(ODD | st.text(max_size=8), max_size=12).map("".join)


def mail(subject: str = "x", to: str = "anna@example.com", text: str = "", html: str = "") -> bytes:
    fields = [
        mime.sender('"Sōuk, Inc" <shop@souk.example>').field, mime.recipient(to), mime.subject(subject),
        mime.field("Message-ID", "<1@souk.example>"),
    ]  # fmt: skip
    return mime.alternative(fields, BOUNDARY, text, html)


def read(content: bytes) -> EmailMessage:
    """The mail, which has the shape that every mail has."""
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert message.keys() == ["From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"]
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert [part.defects for part in message.walk()] == [[], [], []]
    assert (message.preamble, message.epilogue) == (None, "")
    assert message["From"].addresses == (Address("Sōuk, Inc", addr_spec="shop@souk.example"),)
    return message


def as_one_text(text: str) -> str:
    """Line ends of every system are line feeds, and the last line has one."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines if lines.endswith("\n") else f"{lines}\n"


@given(TEXTS, TEXTS, st.booleans())
@example("a" * 75 + " \n", "a" * 74 + "\t", False)
@example("a" * 73 + "é \n", "é" * 12 + "aa \n", False)
def test_both_texts_arrive_in_lines_that_every_server_takes(text: str, html: str, on_the_wire: bool) -> None:
    content = mail(text=text, html=html)
    lines = content.split(b"\n")
    assert max(map(len, lines)) <= 76
    assert {byte for line in lines for byte in line} <= {9, *range(32, 127)}
    assert not [line for line in lines if line.endswith((b" ", b"\t")) or line == b"."]

    message = read(content.replace(b"\n", b"\r\n") if on_the_wire else content)

    arrived = [part.get_content().replace("\r\n", "\n") for part in message.iter_parts()]
    assert arrived == [as_one_text(text), as_one_text(html)]


@given(TEXTS)
@example(" a  b ")
@example("水" * 13 + " " + "水" * 14)
def test_a_subject_arrives_in_lines_that_every_server_takes(subject: str) -> None:
    if "\n" in subject or "\r" in subject:
        with pytest.raises(ValueError, match="one line"):
            mime.subject(subject)
        return

    content = mail(subject)

    assert max(map(len, content.split(b"\n"))) <= mime.COLUMNS
    assert content.isascii()
    assert str(read(content)["Subject"]) == subject


def test_a_plain_subject_is_left_as_it_is() -> None:
    assert mime.subject("Your order 112") == "Subject: Your order 112\n"
    assert mime.subject("a" * 69) == f"Subject: {'a' * 69}\n"
    assert mime.subject("a" * 70).startswith("Subject: =?utf-8?b?")
    assert mime.subject("Grün") == "Subject: =?utf-8?b?R3LDvG4=?=\n"


def test_a_text_that_no_mail_can_hold_is_refused() -> None:
    for text in ("\ud800", "a\udcff"):
        with pytest.raises(ValueError, match="surrogates"):
            mime.subject(text)
        with pytest.raises(ValueError, match="surrogates"):
            mime.quoted_printable(text)


ADDRESSES = st.text("ab1.+-_'\"@ \t()<>[],:;\\=?%é水\n\r\x00", max_size=12) | st.emails()


@given(ADDRESSES)
@example("a" * 63 + "@example.com")
@example("a=?utf-8?q?b?=@example.com")
@example('"a b"@example.com')
@example("a@[127.0.0.1]")
@example("a@exämple.com")
@example("a.@example.com")
def test_an_address_is_what_pythons_parser_takes_for_one(text: str) -> None:
    try:
        expected = Address(addr_spec=text)
    except Exception as error:  # noqa: BLE001 - what it raises is not documented
        with pytest.raises(type(error)):
            mime.recipient(text)
        return

    assert read(mail(to=text))["To"].addresses == (expected,)


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nBcc: eve@example.com", "a\rb", "é", "\x00", "a" * 988])
def test_a_field_is_words_of_ascii(value: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        mime.field("Message-ID", value)
