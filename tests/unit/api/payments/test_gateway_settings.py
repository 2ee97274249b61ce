"""Which gateways the settings name, and what they refuse before a process starts."""

import json

import pytest

from api.checkout.schemas import Plan
from api.kernel.environment import InvalidSettings
from api.kernel.settings import Settings

SECOND = {"second": {"kind": "sandbox", "url": "http://127.0.0.1:9", "key": "a-secret-key"}}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("SOUK_SANDBOX_KEY", "the-first-key")
    monkeypatch.delenv("SOUK_PAYMENT_GATEWAY", raising=False)
    monkeypatch.setenv("SOUK_PAYMENT_GATEWAYS", json.dumps(SECOND))


def test_the_sandbox_takes_new_payments_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert settings.payment_gateway == "sandbox"
    assert settings.gateways["sandbox"].key.get_secret_value() == "the-first-key"
    assert settings.gateways["second"].url == "http://127.0.0.1:9"
    monkeypatch.setenv("SOUK_PAYMENT_GATEWAY", "second")
    assert Settings().payment_gateway == "second"


def test_a_gateways_key_is_not_printed() -> None:
    assert "a-secret-key" not in repr(Settings())
    assert "the-first-key" not in repr(Settings().gateways)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SOUK_PAYMENT_GATEWAY", "third", "'third' is not one of sandbox, second"),
        ("SOUK_PAYMENT_GATEWAYS", json.dumps({"sandbox": SECOND["second"]}), "the gateway 'sandbox' is set by"),
        ("SOUK_PAYMENT_GATEWAYS", json.dumps({"a name of many words": SECOND["second"]}), "match pattern"),
        ("SOUK_PAYMENT_GATEWAYS", json.dumps({"x" * 21: SECOND["second"]}), "match pattern"),
        ("SOUK_PAYMENT_GATEWAYS", json.dumps({"third": {**SECOND["second"], "kind": "unheard-of"}}), "'sandbox'"),
        ("SOUK_PAYMENT_GATEWAYS", json.dumps({"third": {"kind": "sandbox", "url": "x"}}), "key"),
    ],
    ids=["unknown", "the sandbox again", "not a name", "longer than its column", "unknown kind", "no key"],
)
def test_wrong_settings_are_refused_at_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as raised:
        Settings()
    assert said in str(raised.value)


def test_a_plan_from_before_gateways_had_names_is_of_the_sandbox() -> None:
    amounts = dict.fromkeys(("subtotal", "tax", "shipping", "discount", "total"), "1.00")
    ids = dict.fromkeys(("order_id", "payment_id"), "01890000-0000-7000-8000-000000000000")
    others = {"order_number": "SK-1", "currency": "USD", "address": {}, "estimated_delivery": "2026-01-02"}
    plan = Plan.model_validate({**amounts, **ids, **others, "from_cart": False, "lines": []})
    assert plan.gateway == "sandbox"
