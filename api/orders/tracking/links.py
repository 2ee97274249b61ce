"""Tracking links: who has one sees where the parcel is, without an account, and nothing of the order or its buyer."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from api.kernel.security import Keys

LENGTH = 43
_PURPOSE = "tracking-link"


def code_of(keys: Keys, parcel_id: UUID) -> str:
    """The parcel's id and a MAC over it: 43 letters, digits, `-` and `_`."""
    return urlsafe_b64encode(parcel_id.bytes + keys.sign(_PURPOSE, parcel_id.bytes)).rstrip(b"=").decode()


def parcel_of(keys: Keys, code: str) -> UUID | None:
    """The parcel of a code that this shop made, else None."""
    if len(code) != LENGTH or not code.isascii():
        return None
    try:
        content = urlsafe_b64decode(code + "=")
    except ValueError:
        return None
    if len(content) != 32 or not keys.verify(_PURPOSE, content[:16], content[16:]):
        return None
    known = UUID(bytes=content[:16])
    return known if code_of(keys, known) == code else None
