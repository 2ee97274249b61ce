"""Keys are kept under `SOUK_SECRET_KEY`: whoever reads the database reads none."""

import hashlib
import hmac
import secrets
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.kernel.security import Keys

_NONCE = 12


def seal(keys: Keys, key_id: UUID, text: str) -> bytes:
    """The text, encrypted for this row alone."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher(keys).encrypt(nonce, text.encode(), key_id.bytes)


def unseal(keys: Keys, key_id: UUID, sealed: bytes) -> str:
    """What was sealed. Raises: InvalidTag for a row that is not as it was written."""
    return _cipher(keys).decrypt(sealed[:_NONCE], sealed[_NONCE:], key_id.bytes).decode()


def digest(keys: Keys, text: str) -> bytes:
    """32 bytes, equal for equal texts; nobody without the secret can try texts against them."""
    return hmac.new(_derived(keys, b"digests of licence keys"), text.encode(), hashlib.sha256).digest()


def _cipher(keys: Keys) -> AESGCM:
    return AESGCM(_derived(keys, b"licence keys"))


def _derived(keys: Keys, purpose: bytes) -> bytes:
    return hmac.new(keys.secret, purpose, hashlib.sha256).digest()
