"""What a mail says: a template of text and one of HTML for each kind, filled with the data of its row.

The same row gives the same bytes each time: the date, the id and the boundary are the row's.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Any
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

# Kind -> (subject, how urgent: lower goes first). The templates are templates/KIND.txt and .html.
KINDS: dict[str, tuple[str, int]] = {
    "order-confirmation": ("Your order {{ number }}", 1),
    "units-cancelled": ("A part of your order {{ number }} will not be sent", 1),
    "parcel-lost": ("A parcel of your order {{ number }} was lost", 1),
    "parcel-lost-seller": ("Parcel {{ parcel }} of order {{ number }} was lost", 2),
    "order-edited": ("Your order {{ number }} has changed", 1),
    "order-claim": ("Add your guest orders to your account", 0),
}
# Control characters, and those that make text read in another direction than it is written.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


class Unwritable(Exception):
    """No mail can be made of the row now: its template and its data do not fit."""


class NoAddress(Exception):
    """No mail will ever reach the row's recipient."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of `mails` that is to be sent. `token`: the secret text that its reader gets, if any."""

    mail_id: UUID
    kind: str
    recipient: str
    data: dict[str, Any]  # Any: JSON
    created_at: datetime
    token: str | None = None


def written(letter: Letter, sender: str) -> EmailMessage:
    """The message. Raises: Unwritable, NoAddress."""
    try:
        to = Address(addr_spec=letter.recipient)
    except Exception as error:  # the parser of addresses raises more than it documents
        raise NoAddress(f"{type(error).__name__}: {error}"[:500]) from error
    try:
        return _written(letter, to, sender)
    except Exception as error:  # a letter that cannot be written must not keep the others from being sent
        raise Unwritable(f"{type(error).__name__}: {error}"[:500]) from error


def _written(letter: Letter, to: Address, sender: str) -> EmailMessage:
    name, address = parseaddr(sender)
    from_address = Address(name, addr_spec=address)
    values = {key: _printable(value) for key, value in letter.data.items()} | {"token": letter.token}
    message = EmailMessage(policy=SMTP)
    message["From"] = from_address
    message["To"] = to
    message["Subject"] = _subject(letter.kind).render(values)
    message["Date"] = format_datetime(letter.created_at)
    message["Message-ID"] = f"<{letter.mail_id}@{from_address.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Souk-Kind"] = letter.kind
    message.set_content(_templates().get_template(f"{letter.kind}.txt").render(values))
    message.add_alternative(_templates().get_template(f"{letter.kind}.html").render(values), subtype="html")
    message.set_boundary(f"=_{letter.mail_id.hex}")
    return message


def _printable(value: Any) -> Any:  # Any: JSON
    """The value without characters that hide or reorder text."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(" ", value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    return value


@cache
def _subject(kind: str) -> Template:
    return _templates().from_string(KINDS[kind][0])


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("api.mail"),
        auto_reload=False,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
