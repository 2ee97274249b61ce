"""What the shop's settings refuse, in words that name the variable."""

import pytest

from api.kernel.environment import InvalidSettings
from api.kernel.settings import Settings


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")


def _problem(monkeypatch: pytest.MonkeyPatch, **given: str) -> str:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as caught:
        Settings()
    return str(caught.value)


def test_a_gateway_that_nobody_set_up_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _problem(monkeypatch, SOUK_PAYMENT_GATEWAY="other") == (
        "SOUK_PAYMENT_GATEWAY: 'other' is not one of sandbox"
    )


def test_gateways_that_are_no_json_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _problem(monkeypatch, SOUK_PAYMENT_GATEWAYS="{s3cret").startswith(
        "SOUK_PAYMENT_GATEWAYS is not JSON. Correct"
    )


def test_a_wrong_part_of_a_gateway_is_named_and_its_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _problem(monkeypatch, SOUK_PAYMENT_GATEWAYS='{"other": {"kind": "sandbox", "key": "s3cret"}}')
    assert said.startswith("SOUK_PAYMENT_GATEWAYS.other.url: Field required. Correct it, or unset it")
    assert "s3cret" not in said


def test_names_without_the_prefix_are_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEMENT_TIMEOUT_MS", "7")
    monkeypatch.setenv("FREE_SHIPPING_FROM", "20.00")
    found = Settings()
    assert (found.db_statement_timeout_ms, str(found.free_shipping_from)) == (7, "20.00")
