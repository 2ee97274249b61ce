"""Guest sessions: who holds the id sees the guest's cart and orders, so only the shop makes one.

An id is 128 random bits and a MAC over them. The MAC says without any read that the shop issued the id; an id without
the right one is nobody's, and the request is answered as if it had none: with a new id. An id has no other state. It
ends when it is forgotten, when a sign-in replaces it, or when the shop's secret key is changed.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode

from starlette.types import Scope

from api.kernel.security import Keys

SESSION_COOKIE = "souk_session"
HEADER = "X-Session-Id"
# Headers that a request's answer gets, whatever it will be; the middleware adds them.
ANSWER_HEADERS = "souk.answer_headers"
_RANDOM_BYTES = 16
_HALF = 22
_PURPOSE = "guest-session"


def new_session(keys: Keys, random: bytes | None = None) -> str:
    """A new id: 44 letters, digits, `-` and `_`. `random`: bytes to use instead of the system's."""
    half = _text(secrets.token_bytes(_RANDOM_BYTES) if random is None else random)
    return (half + _mac(keys, half)).decode()


def is_issued(keys: Keys, session_id: str) -> bool:
    """Whether this shop made the id."""
    if len(session_id) != 2 * _HALF or not session_id.isascii():
        return False
    given = session_id.encode()
    return hmac.compare_digest(_mac(keys, given[:_HALF]), given[_HALF:])


def remember(scope: Scope, session_id: str, *, seconds: int, secure: bool) -> None:
    """Let the answer of this request carry the id, as a header and as a cookie that scripts cannot read."""
    cookie = f"{SESSION_COOKIE}={session_id}; HttpOnly; Max-Age={seconds}; Path=/; SameSite=lax"
    scope[ANSWER_HEADERS] = [
        (b"x-session-id", session_id.encode()),
        (b"set-cookie", (f"{cookie}; Secure" if secure else cookie).encode()),
    ]


def headers_of(scope: Scope) -> list[tuple[bytes, bytes]]:
    """What `remember` left for the answer."""
    headers: list[tuple[bytes, bytes]] = scope.get(ANSWER_HEADERS, [])
    return headers


def _mac(keys: Keys, half: bytes) -> bytes:
    return _text(keys.sign(_PURPOSE, half))


def _text(value: bytes) -> bytes:
    return urlsafe_b64encode(value).rstrip(b"=")
