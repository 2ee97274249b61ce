"""Security primitives: password hashes, access tokens, opaque tokens, signatures."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from api.kernel import clock
from api.kernel.environment import InvalidSettings
from api.kernel.errors import NotAuthenticated
from api.kernel.ids import new_id
from api.kernel.settings import Settings

ISSUER = "souk"
AUDIENCE = "souk-api"
CLOCK_LEEWAY_SECONDS = 30
MAX_TOKEN_LENGTH = 4_096

# RFC 9106's low-memory profile (64 MiB, 3 passes, 4 lanes). The semaphore bounds the
# memory, so that sign-ins cannot exhaust it.
_hasher = PasswordHasher()
_hashing = asyncio.Semaphore(2)
_unknown_user_hash = _hasher.hash(secrets.token_urlsafe(16))

UserType = Literal["customer", "seller", "admin"]


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of an access token: the user, the user's type, and the session version at issue."""

    user_id: UUID
    user_type: UserType
    session_version: int


@dataclass(frozen=True, slots=True)
class Keys:
    """The signing keys of this installation."""

    private: Ed25519PrivateKey
    kid: str
    secret: bytes

    @classmethod
    def load(cls, settings: Settings) -> "Keys":
        """Read the keys.

        In the test profile missing ones are generated. Raises: InvalidSettings for one that is missing, short or not
        readable.
        """
        if settings.jwt_key_file is not None:
            private = _private_key(settings.jwt_key_file)
        elif settings.profile == "test":
            private = Ed25519PrivateKey.generate()
        else:
            raise _wrong("SOUK_JWT_KEY_FILE", "is not set: create an Ed25519 key (`souk up` does) and name its file")
        secret = settings.secret_key.get_secret_value()
        if len(secret) < 32:
            if settings.profile != "test":
                raise _wrong("SOUK_SECRET_KEY", "must be at least 32 characters of random text (`souk up` makes one)")
            secret = secrets.token_hex(32)
        public = _raw(private.public_key())
        return cls(private=private, kid=hashlib.sha256(public).hexdigest()[:16], secret=secret.encode())

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public half as a JSON Web Key Set (RFC 8037)."""
        x = base64.urlsafe_b64encode(_raw(self.private.public_key())).rstrip(b"=").decode()
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x}]}

    def issue_access_token(self, claims: AccessClaims, seconds: int) -> str:
        """A signed JWT of type `at+jwt`, valid `seconds` from now."""
        now = clock.now()
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(claims.user_id),
            "jti": str(new_id()),
            "iat": now,
            "nbf": now,
            "exp": now + timedelta(seconds=seconds),
            "utp": claims.user_type,
            "ver": claims.session_version,
        }
        return jwt.encode(payload, self.private, algorithm="EdDSA", headers={"kid": self.kid, "typ": "at+jwt"})

    def read_access_token(self, token: str) -> AccessClaims:
        """Verify a token as RFC 8725 requires: only our key, only our algorithm, type, issuer, audience, times.

        Raises: NotAuthenticated with one wording for every reason, so that callers learn nothing from it.
        """
        refused = NotAuthenticated(
            "The access token is not valid or has expired; sign in or refresh.", headers={"WWW-Authenticate": "Bearer"}
        )
        if len(token) > MAX_TOKEN_LENGTH:
            raise refused
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "at+jwt" or header.get("kid") != self.kid:
                raise refused
            payload = jwt.decode(
                token,
                self.private.public_key(),
                algorithms=["EdDSA"],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=CLOCK_LEEWAY_SECONDS,
                options={"require": ["exp", "nbf", "iat", "iss", "aud", "sub", "jti"]},
            )
            return AccessClaims(UUID(payload["sub"]), payload["utp"], int(payload["ver"]))
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            raise refused from None

    def sign(self, purpose: str, data: bytes) -> bytes:
        """A 16-byte MAC over `data`, with a separate domain per purpose, so that a
        cursor is never valid as another signed value."""
        return hmac.digest(self.secret, purpose.encode() + b"\0" + data, "sha256")[:16]

    def verify(self, purpose: str, data: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(purpose, data), signature)


async def hash_password(password: str) -> str:
    """Argon2id in a thread, at most two at once (64 MiB each)."""
    async with _hashing:
        return await asyncio.to_thread(_hasher.hash, password)


async def check_password(stored_hash: str | None, password: str) -> bool:
    """True when `password` matches.

    Without a stored hash it does the same work, so that an unknown user takes the same time.
    """
    async with _hashing:
        return await asyncio.to_thread(_verify, stored_hash or _unknown_user_hash, password) and stored_hash is not None


def needs_rehash(stored_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored_hash)


def new_opaque_token() -> tuple[str, bytes]:
    """A 256-bit token for the client and the SHA-256 that is stored."""
    token = secrets.token_urlsafe(32)
    return token, hash_opaque_token(token)


def hash_opaque_token(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _verify(stored_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(stored_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _private_key(path: Path) -> Ed25519PrivateKey:
    wanted = "must name a file with an Ed25519 private key in PEM"
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _wrong("SOUK_JWT_KEY_FILE", f"{wanted}: {error}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise _wrong("SOUK_JWT_KEY_FILE", wanted)
    return private


def _wrong(variable: str, message: str) -> InvalidSettings:
    return InvalidSettings({variable: f"{variable} {message}"})


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
