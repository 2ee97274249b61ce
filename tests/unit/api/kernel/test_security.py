"""Keys, access tokens and opaque tokens, without a server."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.kernel import clock
from api.kernel.environment import InvalidSettings
from api.kernel.errors import NotAuthenticated
from api.kernel.security import (
    AUDIENCE,
    ISSUER,
    MAX_TOKEN_LENGTH,
    AccessClaims,
    Keys,
    check_password,
    hash_opaque_token,
    hash_password,
    needs_rehash,
    new_opaque_token,
)
from api.kernel.settings import Settings
from tests.unit.api.kernel.keys import made_up_keys

KEYS = made_up_keys()
CLAIMS = AccessClaims(uuid4(), "seller", 3)
SECRET = "a secret that is long enough for anybody"


def settings(**values: object) -> Settings:
    return Settings.model_validate({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", **values})


def pem(folder: Path, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    path = folder / "key.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return str(path)


def test_a_token_gives_its_claims_back() -> None:
    assert KEYS.read_access_token(KEYS.issue_access_token(CLAIMS, 60)) == CLAIMS


def test_a_token_has_the_headers_and_times_of_an_access_token() -> None:
    token = KEYS.issue_access_token(CLAIMS, 60)
    payload = jwt.decode(token, options={"verify_signature": False})

    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": KEYS.kid}
    assert (payload["iss"], payload["aud"], payload["exp"] - payload["iat"]) == (ISSUER, AUDIENCE, 60)


def test_a_token_past_its_end_and_the_leeway_is_refused() -> None:
    KEYS.read_access_token(KEYS.issue_access_token(CLAIMS, -20))
    with pytest.raises(NotAuthenticated):
        KEYS.read_access_token(KEYS.issue_access_token(CLAIMS, -40))


def forged(**changes: object) -> str:
    """A token signed with the right key, with one claim changed or (None) left out."""
    now = clock.now()
    claims: dict[str, object] = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": str(CLAIMS.user_id), "jti": "1", "iat": now, "nbf": now,
        "exp": now + timedelta(seconds=60), "utp": "seller", "ver": 3,
    }  # fmt: skip
    headers = {"kid": KEYS.kid, "typ": "at+jwt"}
    for name, value in changes.items():
        (headers if name in headers else claims)[name] = value  # type: ignore[assignment]  # a forger knows no types
    payload = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(payload, KEYS.private, algorithm="EdDSA", headers=headers)


def test_the_forge_makes_good_tokens_when_nothing_is_changed() -> None:
    """The control of the test below."""
    assert KEYS.read_access_token(forged()) == CLAIMS


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"}, {"aud": "another"}, {"typ": "JWT"}, {"kid": "0" * 16}, {"sub": "not a uuid"}, {"ver": "x"},
        {"sub": None}, {"jti": None}, {"iat": None}, {"nbf": None}, {"exp": None}, {"utp": None}, {"ver": None},
        {"nbf": clock.now() + timedelta(hours=1)},
    ],
    ids=lambda change: "-".join(f"{name} {'left out' if value is None else 'wrong'}" for name, value in change.items()),
)  # fmt: skip
def test_a_token_with_one_wrong_claim_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(NotAuthenticated):
        KEYS.read_access_token(forged(**change))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x.y.z",
        "a" * (MAX_TOKEN_LENGTH + 1),
        jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256", headers={"typ": "at+jwt", "kid": KEYS.kid}),
        jwt.encode({"sub": "x"}, "", algorithm="none", headers={"typ": "at+jwt", "kid": KEYS.kid}),
        made_up_keys().issue_access_token(CLAIMS, 60),
    ],
    ids=["empty", "no token", "too long", "another algorithm", "unsigned", "another key"],
)
def test_what_we_did_not_sign_is_refused_with_one_wording(token: str) -> None:
    with pytest.raises(NotAuthenticated, match="sign in or refresh"):
        KEYS.read_access_token(token)


def test_a_signature_fits_one_purpose_and_one_text() -> None:
    signature = KEYS.sign("cursor", b"data")

    assert KEYS.verify("cursor", b"data", signature)
    assert not KEYS.verify("seller-session", b"data", signature)
    assert not KEYS.verify("cursor", b"other", signature)
    # The purpose ends with a zero byte, so that no purpose and text together can be read as others.
    assert KEYS.sign("a", b"bc") != KEYS.sign("ab", b"c")


def test_the_published_key_verifies_our_tokens() -> None:
    [key] = KEYS.jwks()["keys"]

    assert jwt.PyJWK(key).key.public_bytes_raw() == KEYS.private.public_key().public_bytes_raw()
    assert key["kid"] == KEYS.kid
    assert "d" not in key


def test_keys_are_read_from_their_file(tmp_path: Path) -> None:
    path = pem(tmp_path, Ed25519PrivateKey.generate())
    first, second = (Keys.load(settings(SOUK_JWT_KEY_FILE=path, SOUK_SECRET_KEY=SECRET)) for _ in range(2))

    assert first.kid == second.kid
    assert first.sign("x", b"y") == second.sign("x", b"y")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (lambda folder: {"SOUK_SECRET_KEY": SECRET}, "SOUK_JWT_KEY_FILE"),
        (
            lambda folder: {
                "SOUK_JWT_KEY_FILE": pem(folder, Ed25519PrivateKey.generate()),
                "SOUK_SECRET_KEY": "short",
            },
            "SOUK_SECRET_KEY",
        ),
        (
            lambda folder: {
                "SOUK_JWT_KEY_FILE": pem(folder, ec.generate_private_key(ec.SECP256R1())),
                "SOUK_SECRET_KEY": SECRET,
            },
            "SOUK_JWT_KEY_FILE must name a file with an Ed25519",
        ),
        (
            lambda folder: {"SOUK_JWT_KEY_FILE": str(folder / "none.pem"), "SOUK_SECRET_KEY": SECRET},
            "SOUK_JWT_KEY_FILE.*No such file",
        ),
    ],
    ids=["no key file", "a short secret", "a key of another kind", "a file that is not there"],
)
def test_outside_of_tests_a_weak_key_stops_the_start(
    tmp_path: Path, values: Callable[[Path], dict[str, str]], named: str
) -> None:
    with pytest.raises(InvalidSettings, match=named):
        Keys.load(settings(SOUK_PROFILE="demo", **values(tmp_path)))


def test_an_opaque_token_is_stored_as_its_hash() -> None:
    token, stored = new_opaque_token()

    assert stored == hash_opaque_token(token)
    assert token.encode() not in stored
    assert len({new_opaque_token()[0] for _ in range(100)}) == 100


async def test_a_password_is_checked_against_its_hash() -> None:
    stored = await hash_password("a long enough passphrase")

    assert stored.startswith("$argon2id$")
    assert not needs_rehash(stored)
    assert await check_password(stored, "a long enough passphrase")
    assert not await check_password(stored, "another passphrase")
    assert not await check_password(None, "a long enough passphrase")
    assert not await check_password("!imported", "!imported")
