"""Requests of agents: tokens, versions, keys, signatures, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from pydantic import ValidationError

from api.agents.partners import signature_of
from tests.harness.agents.calling import (
    BUYER,
    DETAILS,
    KEY,
    OTHER,
    SIGNER,
    TOKEN,
    Agent,
    created,
    payment,
    refused,
)  # fmt: skip
from tests.harness.agents.forms import VERSION
from tests.harness.agents.sessions import CheckoutSession, Error
from tests.harness.bad_values import TOO_LARGE, VALUES, leaves, replaced
from tests.harness.buying import Market
from tests.harness.shop import Person


def test_a_partner_sees_its_own_sessions(market: Market, seller: Person, agent: Agent) -> None:
    session = agent.create((market.product(seller), 1))
    other = Agent(market, OTHER)
    for answer in (
        other.send(f"/{session['id']}", method="GET"),
        other.update(session, buyer=BUYER),
        other.complete(session),
        other.send(f"/{session['id']}/cancel"),
        agent.send("/no-session", method="GET"),
        agent.send(f"/{uuid4()}", method="GET"),
    ):
        refused(answer, 404, "not_found")
    refused(Agent(market, "nobody's token").send("", {}), 401, "unauthorized")
    bare = market.client.get(f"/checkout_sessions/{session['id']}", headers={"API-Version": VERSION})
    assert (bare.status_code, bare.json()["code"]) == (401, "unauthorized")


def test_headers(market: Market, seller: Person, agent: Agent) -> None:
    body = created((market.product(seller), 1))
    headers = {"Authorization": f"Bearer {TOKEN}", "API-Version": VERSION}

    answer = agent.send("", body, "k" * 255, **{"Request-Id": "r-1"})
    assert (answer.headers["request-id"], answer.headers["idempotency-key"]) == ("r-1", "k" * 255)
    refused(market.client.post("/checkout_sessions", json=body, headers=headers), 400, "idempotency_key_required")
    refused(agent.send("", body, "k" * 256), 400, "invalid")
    for version, code in (("2025-09-29", "unsupported_api_version"), ("", "unsupported_api_version")):
        said = refused(agent.send("", body, **{"API-Version": version}), 400, code)
        assert said["supported_versions"] == [VERSION]
    missing = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": "k"}
    refused(market.client.post("/checkout_sessions", json=body, headers=missing), 400, "missing_api_version")


def test_a_signer_signs(market: Market, seller: Person) -> None:
    signer, body = Agent(market, SIGNER), created((market.product(seller), 1))
    now = datetime.now(UTC)

    def headers(at: datetime, content: Any = body, key: str = KEY) -> dict[str, str]:
        stamp = at.isoformat()
        return {"Timestamp": stamp, "Signature": signature_of(key, stamp, orjson.dumps(content))}

    assert signer.send("", body, **headers(now)).status_code == 201
    refused(signer.send("", body), 401, "invalid_signature")
    refused(signer.send("", body, **headers(now, {**body, "currency": "eur"})), 401, "invalid_signature")
    refused(signer.send("", body, **headers(now, key="another-key-of-16")), 401, "invalid_signature")
    refused(signer.send("", body, **headers(now - timedelta(minutes=10))), 401, "stale_timestamp")
    refused(signer.send("", body, **{**headers(now), "Timestamp": "now"}), 401, "invalid_signature")


BAD: list[tuple[str, Any, str, str | None]] = [
    ("no_items", {"line_items": []}, "invalid", "$.line_items"),
    ("items_null", {"line_items": None}, "invalid", "$.line_items"),
    ("unknown_item", {"line_items": [{"id": str(uuid4())}]}, "invalid_item_id", "$.line_items[0].id"),
    ("no_id", {"line_items": [{"id": "item_123"}]}, "invalid_item_id", "$.line_items[0].id"),
    ("zero", {"line_items": [{"id": "x", "quantity": 0}]}, "invalid", "$.line_items[0].quantity"),
    ("text_quantity", {"line_items": [{"id": "x", "quantity": "1"}]}, "invalid", "$.line_items[0].quantity"),
    ("other_currency", {"currency": "eur"}, "unsupported_currency", "$.currency"),
    ("no_currency", {"currency": "dollars"}, "invalid", "$.currency"),
    ("coupons", {"coupons": ["X"]}, "unsupported", "$.coupons"),
    ("discounts", {"discounts": {"codes": ["X"]}}, "unsupported", "$.discounts"),
    ("groups", {"fulfillment_groups": []}, "unsupported", "$.fulfillment_groups"),
    ("quote", {"quote_id": "q"}, "unsupported", "$.quote_id"),
    ("exemption", {"buyer": {**BUYER, "tax_exemption": {}}}, "unsupported", "$.buyer.tax_exemption"),
    ("unknown_field", {"surprise": 1}, "invalid", "$.surprise"),
    ("email", {"buyer": {"email": "nobody"}}, "invalid", "$.buyer.email"),
    ("card_number", {"buyer": {**BUYER, "full_name": "4242424242424242"}}, "invalid", "$.buyer.full_name"),
    ("nul", {"buyer": {**BUYER, "full_name": "a\0b"}}, "invalid", "$.buyer.full_name"),
    ("half_address", {"fulfillment_details": {"address": {}}}, "missing", "$.fulfillment_details.address.name"),
    ("no_capabilities", {"capabilities": None}, "invalid", "$.capabilities"),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=[one[0] for one in BAD])
def test_bad_input_is_named(
    market: Market, seller: Person, agent: Agent, bad: tuple[str, Any, str, str | None]
) -> None:
    _, fields, code, param = bad
    refused(agent.send("", created((market.product(seller), 1), **fields)), 400, code, param)


def test_bodies_that_are_none(market: Market, agent: Agent) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "API-Version": VERSION, "Idempotency-Key": "k"}
    for content in (b"", b"{", b"[]", b"\xff\xfe", b'"text"', b"[" * 50_000, b'{"line_items": 1e999}'):
        answer = market.client.post("/checkout_sessions", content=content, headers=headers)
        assert answer.status_code == 400, answer.text
        Error.model_validate(answer.json())


def test_no_value_anywhere_in_a_body_breaks_anything(market: Market, seller: Person, agent: Agent) -> None:
    """Every answer is of one of the protocol's forms and none is 500, which `send` asserts."""
    product = market.product(seller)
    session = agent.create((product, 1))
    address = f"/{session['id']}"
    full = created((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
    tried = 0
    for path, body in (
        ("", full),
        (address, full),
        (f"{address}/complete", payment("pm_sandbox_declined", buyer=BUYER)),
    ):
        for leaf in leaves(body):
            for value in VALUES:
                content = json.dumps(replaced(body, leaf, value)).replace(f'"{TOO_LARGE}"', "1e400")
                agent.send(path, content)
                tried += 1

    assert tried > 500
    assert agent.get(session)["id"] == session["id"]


def test_the_rules_refuse_another_form(market: Market, seller: Person, agent: Agent) -> None:
    session = agent.create((market.product(seller), 1))
    changes: list[dict[str, Any]] = [
        {"status": "ready"},
        {"currency": "USD"},
        {"order": {"id": "o", "checkout_session_id": session["id"], "permalink_url": "https://shop.example/o"}},
        {"messages": [{"type": "error", "code": "price_change", "content_type": "plain", "content": "x"}]},
        {"totals": []},
        {"surprise": 1},
    ]
    for change in changes:
        with pytest.raises((ValidationError, KeyError)):
            CheckoutSession.model_validate({**session, **change})
