"""A carrier's message is believed when its bytes and its time are signed with the shared key, and the time is now."""

from datetime import UTC, datetime, timedelta

import pytest

from api.kernel import clock
from api.sandbox.carrier.driver import signature
from api.shipping.errors import WebhookRefused
from api.shipping.signatures import check, signed

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)
KEY, BODY = "a-secret-key", b'{"events":[]}'


def test_what_is_signed_is_believed() -> None:
    check(KEY, signed(KEY, BODY, NOW), BODY, NOW, 300)
    check(KEY, signed(KEY, BODY, NOW), BODY, NOW + timedelta(seconds=300), 300)
    check(KEY, signed(KEY, BODY, NOW), BODY, NOW - timedelta(seconds=300), 300)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (None, BODY),
        ("", BODY),
        (signed(KEY, BODY, NOW), BODY + b" "),
        (signed("another-key", BODY, NOW), BODY),
        (signed(KEY, BODY, NOW).replace("t=1", "t=2", 1), BODY),
        (signed(KEY, BODY, NOW)[:-1], BODY),
        (signed(KEY, BODY, NOW) + ",v1=" + "0" * 64, BODY),
    ],
)
def test_what_is_not_is_refused(header: str | None, body: bytes) -> None:
    with pytest.raises(WebhookRefused, match="Sign the bytes"):
        check(KEY, header, body, NOW, 10**12)


@pytest.mark.parametrize("seconds", [301, -301])
def test_an_old_message_is_no_new_one(seconds: int) -> None:
    with pytest.raises(WebhookRefused, match="too far from now"):
        check(KEY, signed(KEY, BODY, NOW), BODY, NOW + timedelta(seconds=seconds), 300)


def test_the_sandbox_signs_as_the_shop_checks() -> None:
    check(KEY, signature(KEY, BODY), BODY, clock.now(), 5)
    with pytest.raises(WebhookRefused):
        check(KEY, signature("another-key", BODY), BODY, clock.now(), 5)
