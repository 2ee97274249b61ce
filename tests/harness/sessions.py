"""Guest sessions as the shop of the tests issues them, by name: the shops of tests have one secret key."""

import hashlib
from functools import cache
from uuid import NAMESPACE_URL, uuid4, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.kernel.guests import new_session
from api.kernel.security import Keys
from api.mail.tokens import token_of

SECRET_KEY = "signs sessions and cursors in tests"


def guest_session(name: str | None = None, secret_key: str = SECRET_KEY) -> str:
    """The session of the guest of this name: the same each time. Without a name, of a new guest."""
    random = hashlib.sha256((name or str(uuid4())).encode()).digest()[:16]
    return new_session(_keys(secret_key), random)


def guest_headers(name: str | None = None, secret_key: str = SECRET_KEY) -> dict[str, str]:
    """The headers of that guest's requests."""
    return {"X-Session-Id": guest_session(name, secret_key)}


def mailed_token(name: str, secret_key: str = SECRET_KEY) -> str:
    """A code as a mail has it, which no table knows."""
    return token_of(_keys(secret_key), uuid5(NAMESPACE_URL, name))


@cache
def _keys(secret_key: str) -> Keys:
    return Keys(private=Ed25519PrivateKey.generate(), kid="", secret=secret_key.encode())
