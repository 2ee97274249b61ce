"""Links to files: whoever has one downloads until it expires, without an account; the order always makes another."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from api.kernel.security import Keys

# An order line, seconds since 1970, and a MAC over both.
LENGTH = 54
_PURPOSE, _SIGNED, _WHOLE = "download-link", 24, 40


@dataclass(frozen=True, slots=True)
class Link:
    """To the file of an order line."""

    order_item_id: UUID
    expires_at: datetime


def code_of(keys: Keys, link: Link) -> str:
    """54 letters, digits, `-` and `_`."""
    signed = link.order_item_id.bytes + int(link.expires_at.timestamp()).to_bytes(8)
    return urlsafe_b64encode(signed + keys.sign(_PURPOSE, signed)).rstrip(b"=").decode()


def link_of(keys: Keys, code: str) -> Link | None:
    """What a code of this shop says, whether it has expired or not; None for any other text."""
    if len(code) != LENGTH or not code.isascii():
        return None
    try:
        content = urlsafe_b64decode(code + "==")
    except ValueError:
        return None
    signed = content[:_SIGNED]
    if len(content) != _WHOLE or not keys.verify(_PURPOSE, signed, content[_SIGNED:]):
        return None
    link = Link(UUID(bytes=signed[:16]), datetime.fromtimestamp(int.from_bytes(signed[16:]), UTC))
    # One code for each link: base64 has other spellings of its last letter.
    return link if code_of(keys, link) == code else None
