"""A mail as bytes: a text and its HTML side by side (multipart/alternative), in lines of ASCII that line feeds end.

Python's email package writes the same in some milliseconds, which go into parsing each header when it is set and again
when it is written. Here it only writes the sender, once, and addresses that are not plain.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from functools import lru_cache

COLUMNS, LONGEST_LINE = 78, 998  # RFC 5322, 2.1.1: what a line should keep to, and what it must
_WORDS = re.compile(r"[!-~]+(?: [!-~]+)*")
# Of RFC 5322's dot-atoms those that no parser takes for anything else.
_PLAIN_ADDRESS = re.compile(r"[\w+%'-]+(?:\.[\w+%'-]+)*@[\w-]+(?:\.[\w-]+)*", re.ASCII)
# Bytes in an encoded word: a line of one, with its frame and `Subject: `, has at most 76 columns (RFC 2047, 2).
_ENCODED_WORD = 39
_SPACE_THAT_DOES_NOT_FIT = re.compile(rb"^(.{74,75})(=20|=09)$", re.MULTILINE)
_PART = '--{boundary}\nContent-Type: text/{kind}; charset="utf-8"\nContent-Transfer-Encoding: quoted-printable\n\n'


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from. `field`: the header's lines."""

    field: str
    address: str
    domain: str


@lru_cache(maxsize=16)
def sender(text: str) -> Sender:
    """Of `Name <address@host>` or an address. Raises: Exception of the email package for anything else."""
    name, address = parseaddr(text)
    parsed = Address(name, addr_spec=address)
    return Sender(_address_field("From", parsed), parsed.addr_spec, parsed.domain)


def recipient(address: str) -> str:
    """The header's lines. Raises: Exception of the email package when the text is no address."""
    if len(address) <= COLUMNS - len("To: ") and _PLAIN_ADDRESS.fullmatch(address):
        return f"To: {address}\n"
    return _address_field("To", Address(addr_spec=address))


def field(name: str, value: str) -> str:
    """A header whose value is written as it is. Raises: ValueError when it is not words of printable ASCII."""
    if not _WORDS.fullmatch(value) or len(name) + 2 + len(value) > LONGEST_LINE:
        raise ValueError(f"{name}: {value[:100]!r} cannot be written as it is")
    return f"{name}: {value}\n"


def subject(text: str) -> str:
    """The header's lines, in encoded words (RFC 2047) unless the text is plain ASCII of one line.

    Raises: ValueError when a line ends in it.
    """
    if "\n" in text or "\r" in text:
        raise ValueError("a subject is one line")
    if len(text) <= COLUMNS - len("Subject: ") and _WORDS.fullmatch(text) and "=?" not in text:
        return f"Subject: {text}\n"
    return "Subject: " + "\n ".join(_encoded_words(text)) + "\n"


def alternative(fields: Iterable[str], boundary: str, text: str, html: str) -> bytes:
    """The mail. `fields`: header lines of the functions above.

    `boundary` begins with `=_`, which quoted-printable never writes: no text can end its part.
    """
    head = f'MIME-Version: 1.0\nContent-Type: multipart/alternative;\n boundary="{boundary}"\n\n'
    return b"".join([
        *(field.encode("ascii") for field in fields),
        head.encode("ascii"),
        _PART.format(boundary=boundary, kind="plain").encode("ascii"),
        quoted_printable(text),
        b"\n",
        _PART.format(boundary=boundary, kind="html").encode("ascii"),
        quoted_printable(html),
        f"\n--{boundary}--\n".encode("ascii"),
    ])  # fmt: skip


def quoted_printable(text: str) -> bytes:
    """Lines of at most 76 columns (RFC 2045, 6.7), the last one ended."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if not lines.endswith("\n"):
        lines += "\n"
    encoded = b2a_qp(lines.encode(), istext=True)
    if " \n" in lines or "\t\n" in lines:
        # b2a_qp writes the last space of a line as =20 without looking whether that fits.
        encoded = _SPACE_THAT_DOES_NOT_FIT.sub(rb"\1=\n\2", encoded)
    return encoded


def _encoded_words(text: str) -> Iterator[str]:
    """Each holds whole characters."""
    word = b""
    for character in text:
        encoded = character.encode()
        if len(word) + len(encoded) > _ENCODED_WORD:
            yield _encoded_word(word)
            word = b""
        word += encoded
    yield _encoded_word(word)


def _encoded_word(content: bytes) -> str:
    return f"=?utf-8?b?{b64encode(content).decode()}?="


def _address_field(name: str, address: Address) -> str:
    message = EmailMessage(policy=SMTP.clone(linesep="\n"))
    message[name] = address
    return message.as_bytes().decode("ascii").removesuffix("\n")
