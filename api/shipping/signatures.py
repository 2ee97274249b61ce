"""Signatures of carriers' messages: HMAC-SHA256 over the time and the bytes, in one header `t=SECONDS,v1=HEX`.

The time is signed, so an old message cannot be sent again as a new one; within the tolerance its events' ids tell.
"""

import hmac
import re
from datetime import datetime

from api.shipping.errors import WebhookRefused

HEADER = "souk-signature"
_PURPOSE = b"shipping webhook"
_FORM = re.compile(r"t=(?P<seconds>\d{1,12}),v1=(?P<mac>[0-9a-f]{64})")


def signed(key: str, body: bytes, at: datetime) -> str:
    """The header of a message."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_mac(key, seconds, body)}"


def check(key: str, header: str | None, body: bytes, now: datetime, tolerance_seconds: float) -> None:
    """Raises: WebhookRefused, with one wording for a wrong and a missing signature."""
    found = _FORM.fullmatch(header or "")
    if found is None or not hmac.compare_digest(_mac(key, int(found["seconds"]), body), found["mac"]):
        raise WebhookRefused("Sign the bytes of the body with the key that the shop and the carrier share.")
    if abs(now.timestamp() - int(found["seconds"])) > tolerance_seconds:
        raise WebhookRefused("The signature's time is too far from now; sign the message again when it is sent again.")


def _mac(key: str, seconds: int, body: bytes) -> str:
    secret = hmac.digest(key.encode(), _PURPOSE, "sha256")
    return hmac.digest(secret, b"%d." % seconds + body, "sha256").hex()
