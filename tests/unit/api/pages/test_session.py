"""The dashboard's cookie and the token of its forms."""

from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import Request, Response

from api.kernel import clock
from api.pages.base import session
from tests.unit.api.kernel.keys import made_up_keys

KEYS = made_up_keys()
USER = UUID("01890000-0000-7000-8000-000000000001")


def request(**cookies: str) -> Request:
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return Request({"type": "http", "headers": [(b"cookie", header.encode())]})


def started(*, secure: bool = True) -> tuple[str, str]:
    """(the cookie's value, the whole header)."""
    response = Response()
    session.start(KEYS, response, USER, 4, secure=secure)
    header = response.headers["set-cookie"]
    return header.split(";")[0].split("=", 1)[1].strip('"'), header


def test_a_cookie_names_its_user_and_version() -> None:
    assert session.read(KEYS, request(souk_seller=started()[0])) == (USER, 4)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() -> None:
    header = started()[1].lower()

    assert all(word in header for word in ("httponly", "samesite=lax", "secure", "path=/seller", "max-age=43200"))
    assert "secure" not in started(secure=False)[1].lower()


def test_a_cookie_ends_after_twelve_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    value, now = started()[0], clock.now()

    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=12, seconds=-2))
    assert session.read(KEYS, request(souk_seller=value)) is not None
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=12, seconds=1))
    assert session.read(KEYS, request(souk_seller=value)) is None


@pytest.mark.parametrize("value", ["", "x", "!!!", "AAAA", "A" * 200])
def test_what_is_no_cookie_of_ours_is_nobody(value: str) -> None:
    assert session.read(KEYS, request(souk_seller=value)) is None


def test_a_cookie_that_was_altered_or_signed_elsewhere_is_nobody() -> None:
    value = started()[0]

    assert session.read(KEYS, request(souk_seller=("B" if value[0] == "A" else "A") + value[1:])) is None
    assert session.read(made_up_keys(), request(souk_seller=value)) is None
    assert session.read(KEYS, request()) is None


def test_signing_out_removes_the_cookie_where_it_was_set() -> None:
    response = Response()
    session.end(response)

    header = response.headers["set-cookie"].lower()
    assert "souk_seller=" in header
    assert "path=/seller" in header
    assert "max-age=0" in header


def test_a_form_is_valid_in_the_browser_it_was_made_for_only() -> None:
    nonce = session.csrf_nonce(request())
    token = session.csrf_token(KEYS, nonce)

    assert session.csrf_nonce(request(souk_csrf=nonce)) == nonce
    assert session.csrf_valid(KEYS, request(souk_csrf=nonce), token)
    assert not session.csrf_valid(KEYS, request(souk_csrf="another"), token)
    assert not session.csrf_valid(KEYS, request(), token)
    assert not session.csrf_valid(KEYS, request(), session.csrf_token(KEYS, ""))
    for wrong in ("", "zz", "00" * 16):
        assert not session.csrf_valid(KEYS, request(souk_csrf=nonce), wrong)


def test_two_browsers_get_two_nonces() -> None:
    assert session.csrf_nonce(request()) != session.csrf_nonce(request())


def test_a_cookie_and_a_form_of_one_area_count_in_no_other() -> None:
    response = Response()
    session.start(KEYS, response, USER, 4, secure=True, area=session.ADMIN)
    header = response.headers["set-cookie"]
    value = header.split(";")[0].split("=", 1)[1].strip('"')

    assert "Path=/admin" in header
    assert session.read(KEYS, request(souk_admin=value), session.ADMIN) == (USER, 4)
    assert session.read(KEYS, request(souk_seller=value)) is None
    assert session.read(KEYS, request(souk_admin=started()[0]), session.ADMIN) is None
    token = session.csrf_token(KEYS, "nonce", session.ADMIN)
    assert session.csrf_valid(KEYS, request(souk_csrf="nonce"), token, session.ADMIN)
    assert not session.csrf_valid(KEYS, request(souk_csrf="nonce"), token)
