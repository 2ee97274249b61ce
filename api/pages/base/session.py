"""The browser session of an area of pages: a signed cookie with the user's id, which opens no other area.

It expires after twelve hours, or with a password change.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from fastapi import Request, Response

from api.kernel import clock
from api.kernel.security import Keys

CSRF_COOKIE = "souk_csrf"
LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Area:
    """Pages for accounts of one kind, below one path."""

    kind: Literal["seller", "admin"]

    @property
    def path(self) -> str:
        return f"/{self.kind}"

    @property
    def cookie(self) -> str:
        return f"souk_{self.kind}"

    def purpose(self, what: str) -> str:
        """A domain of signatures of its own."""
        return f"{self.kind}-{what}"


SELLER, ADMIN = Area("seller"), Area("admin")


def start(
    keys: Keys, response: Response, user_id: UUID, session_version: int, *, secure: bool, area: Area = SELLER
) -> None:
    """Set the session cookie on `response`."""
    expires = int((clock.now() + LIFETIME).timestamp())
    data = f"{user_id}.{session_version}.{expires}".encode()
    value = base64.urlsafe_b64encode(keys.sign(area.purpose("session"), data) + data).decode()
    response.set_cookie(
        area.cookie,
        value,
        max_age=int(LIFETIME.total_seconds()),
        path=area.path,
        httponly=True,
        samesite="lax",
        secure=secure,
    )


def end(response: Response, area: Area = SELLER) -> None:
    """Remove the session cookie."""
    response.delete_cookie(area.cookie, path=area.path)


def read(keys: Keys, request: Request, area: Area = SELLER) -> tuple[UUID, int] | None:
    """(user id, session version) of an unexpired cookie that we signed, else None."""
    try:
        raw = base64.urlsafe_b64decode(request.cookies.get(area.cookie, ""))
        signature, data = raw[:16], raw[16:]
        if not data or not keys.verify(area.purpose("session"), data, signature):
            return None
        user_id, version, expires = data.decode().split(".")
        return (UUID(user_id), int(version)) if int(expires) > clock.now().timestamp() else None
    except (binascii.Error, ValueError):
        return None


def csrf_nonce(request: Request) -> str:
    """The browser's nonce, a new one when it has none."""
    return request.cookies.get(CSRF_COOKIE) or secrets.token_urlsafe(16)


def csrf_token(keys: Keys, nonce: str, area: Area = SELLER) -> str:
    """The value a form must carry for this nonce (signed double submit)."""
    return keys.sign(area.purpose("csrf"), nonce.encode()).hex()


def csrf_valid(keys: Keys, request: Request, token: str, area: Area = SELLER) -> bool:
    """Whether the form came from a page of ours in this browser."""
    nonce = request.cookies.get(CSRF_COOKIE, "")
    try:
        return bool(nonce) and keys.verify(area.purpose("csrf"), nonce.encode(), bytes.fromhex(token))
    except ValueError:
        return False
