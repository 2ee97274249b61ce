"""What a mail says: a template of text and one of HTML for each kind, filled with the data of its row.

The same row gives the same bytes each time: the date, the id and the boundary are the row's.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from typing import Any
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from api.mail import mime

# Kind -> (subject, how urgent: lower goes first). The templates are templates/KIND.txt and .html.
KINDS: dict[str, tuple[str, int]] = {
    "order-confirmation": ("Your order {{ number }}", 1),
    "units-cancelled": ("A part of your order {{ number }} will not be sent", 1),
    "parcel-lost": ("A parcel of your order {{ number }} was lost", 1),
    "parcel-lost-seller": ("Parcel {{ parcel }} of order {{ number }} was lost", 2),
    "backorder-ready": ("A part of your order {{ number }} is there", 1),
    "backorder-late": ("A part of your order {{ number }} is late", 1),
    "digital-ready": ("What you bought online is ready: order {{ number }}", 1),
    "return-label": ("The label for your return of order {{ number }}", 1),
    "order-edited": ("Your order {{ number }} has changed", 1),
    "product-approved": ("{{ title }} is on sale", 2),
    "product-rejected": ("{{ title }} was not approved", 2),
    "product-removed": ("{{ title }} was taken off sale", 2),
    "product-kept": ("{{ title }} was reported", 2),
    "report-received": ("Your report {{ number }}", 2),
    "report-decided": ("What became of your report {{ number }}", 2),
    "objection-decided": ("Your objection about {{ title }}", 2),
    "review-request": ("How is {{ title }}?", 2),
    "review-published": ("Your review of {{ title }} is published", 2),
    "review-queued": ("Your review of {{ title }} is looked at again", 2),
    "review-rejected": ("Your review of {{ title }} is not published", 2),
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


def written(letter: Letter, sender: str) -> bytes:
    """The message, in lines that end with a line feed. Raises: Unwritable, NoAddress."""
    try:
        to = mime.recipient(letter.recipient)
    except Exception as error:  # the parser of addresses raises more than it documents
        raise NoAddress(f"{type(error).__name__}: {error}"[:500]) from error
    try:
        return _written(letter, to, mime.sender(sender))
    except Exception as error:  # a letter that cannot be written must not keep the others from being sent
        raise Unwritable(f"{type(error).__name__}: {error}"[:500]) from error


def _written(letter: Letter, to: str, sender: mime.Sender) -> bytes:
    values = {key: _printable(value) for key, value in letter.data.items()} | {"token": letter.token}
    fields = (
        sender.field,
        to,
        mime.subject(_subject(letter.kind).render(values)),
        mime.field("Date", format_datetime(letter.created_at)),
        mime.field("Message-ID", f"<{letter.mail_id}@{sender.domain}>"),
        mime.field("Auto-Submitted", "auto-generated"),
        mime.field("X-Souk-Kind", letter.kind),
    )
    text, html = (_template(f"{letter.kind}.{form}").render(values) for form in ("txt", "html"))
    return mime.alternative(fields, f"=_{letter.mail_id.hex}", text, html)


def _printable(value: Any) -> Any:  # Any: JSON
    """The value without characters that hide or reorder text."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(" ", value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    return value


class _Templates(Environment):
    """Of data that is JSON: a member is an item, and to ask for an attribute first costs an exception each time."""

    def getattr(self, obj: Any, attribute: str) -> Any:  # Any: JSON
        return self.getitem(obj, attribute)


@cache
def _subject(kind: str) -> Template:
    return _without_globals(_templates().from_string(KINDS[kind][0]))


@cache
def _template(name: str) -> Template:
    return _without_globals(_templates().get_template(name))


def _without_globals(template: Template) -> Template:
    """Jinja copies its global functions for each text that it writes; ours call none."""
    template.globals = {}
    return template


@cache
def _templates() -> Environment:
    return _Templates(
        loader=PackageLoader("api.mail"),
        auto_reload=False,
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
