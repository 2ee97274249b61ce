"""The dashboard's browser session: a signed cookie with the user's id.

It expires after twelve hours, or with a password change.
"""

import base64
import binascii
import secrets
from datetime import timedelta
from uuid import UUID

from fastapi import Request, Response

from api.kernel import clock
from api.kernel.security import Keys

COOKIE = "souk_seller"
CSRF_COOKIE = "souk_csrf"
PATH = "/seller"
LIFETIME = timedelta(hours=12)


def start(keys: Keys, response: Response, user_id: UUID, session_version: int, *, secure: bool) -> None:
    """Set the session cookie on `response`."""
    expires = int((clock.now() + LIFETIME).timestamp())
    data = f"{user_id}.{session_version}.{expires}".encode()
    value = base64.urlsafe_b64encode(keys.sign("seller-session", data) + data).decode()
    response.set_cookie(
        COOKIE, value, max_age=int(LIFETIME.total_seconds()), path=PATH, httponly=True, samesite="lax", secure=secure
    )


def end(response: Response) -> None:
    """Remove the session cookie."""
    response.delete_cookie(COOKIE, path=PATH)


def read(keys: Keys, request: Request) -> tuple[UUID, int] | None:
    """(user id, session version) of an unexpired cookie that we signed, else None."""
    try:
        raw = base64.urlsafe_b64decode(request.cookies.get(COOKIE, ""))
        signature, data = raw[:16], raw[16:]
        if not data or not keys.verify("seller-session", data, signature):
            return None
        user_id, version, expires = data.decode().split(".")
        return (UUID(user_id), int(version)) if int(expires) > clock.now().timestamp() else None
    except (binascii.Error, ValueError):
        return None


def csrf_nonce(request: Request) -> str:
    """The browser's nonce, a new one when it has none."""
    return request.cookies.get(CSRF_COOKIE) or secrets.token_urlsafe(16)


def csrf_token(keys: Keys, nonce: str) -> str:
    """The value a form must carry for this nonce (signed double submit)."""
    return keys.sign("seller-csrf", nonce.encode()).hex()


def csrf_valid(keys: Keys, request: Request, token: str) -> bool:
    """Whether the form came from a page of ours in this browser."""
    nonce = request.cookies.get(CSRF_COOKIE, "")
    try:
        return bool(nonce) and keys.verify("seller-csrf", nonce.encode(), bytes.fromhex(token))
    except ValueError:
        return False
