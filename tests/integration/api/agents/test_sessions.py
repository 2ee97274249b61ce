"""Checkout sessions of agents over HTTP: their forms by the protocol's rules, their figures by the cart, one order."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from api.agents.jobs import collect_sessions
from api.kernel.context import open_context
from api.kernel.settings import Settings
from tests.harness.agents.calling import (
    ADDRESS,
    BUYER,
    DETAILS,
    Agent,
    amounts,
    codes,
    created,
    payment,
    refused,
)  # fmt: skip
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.digital import Game
from tests.harness.kits import kit_of
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person

PLACES = (
    ADDRESS,
    {**ADDRESS, "city": "San Francisco", "state": "CA", "postal_code": "94105"},
    {**ADDRESS, "city": "Lisboa", "state": "", "country": "PT", "postal_code": "1100-048"},
    {**ADDRESS, "city": "Milano", "state": "MI", "country": "IT", "postal_code": "20121"},
    {**ADDRESS, "city": "Toronto", "state": "ON", "country": "CA", "postal_code": "M5H 1A1"},
)


def orders_of(market: Market, session: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(id, status) of every order of the session's guest."""
    return market.sql.execute(
        "select o.order_id::text, o.status from orders o join checkout_sessions s on o.guest_session = s.guest_session"
        " where s.session_id = %s order by o.created_at",
        (session["id"],),
    ).fetchall()


def test_a_session_from_its_items_to_its_order(market: Market, seller: Person, agent: Agent) -> None:
    product = market.product(seller, stock=5, price=19.99)
    variant = product["variants"][0]["variantId"]

    session = agent.create((product, 2))
    assert session["status"] == "not_ready_for_payment"
    assert codes(session) == [("missing", "$.fulfillment_details.address"), ("missing", "$.buyer.email")]
    (line,) = session["line_items"]
    assert (line["item"], line["quantity"], line["unit_amount"]) == ({"id": variant}, 2, 1999)
    assert session["capabilities"]["payment"]["handlers"][0]["id"] == "card"

    answer = agent.update(session, buyer=BUYER, fulfillment_details=DETAILS)
    assert answer.status_code == 200, answer.text
    ready = answer.json()
    assert (ready["status"], ready["messages"]) == ("ready_for_payment", [])
    assert ready["selected_fulfillment_options"] == [
        {"type": "shipping", "option_id": "standard", "item_ids": [variant]}
    ]
    assert agent.get(session) == ready

    done = agent.complete(session)
    assert done.status_code == 200, done.text
    assert done.json()["status"] == "completed"
    order = done.json()["order"]
    total = market.scalar("select total from orders where order_id = %s", (order["id"],))
    assert amounts(done.json()) == amounts(ready)
    assert int(total * 100) == amounts(ready)["total"]
    assert market.stock_of(product) == (3, 0)
    kept = market.sql.execute(
        "select guest_email, shipping_address, status from orders where order_id = %s", (order["id"],)
    ).fetchone()
    assert kept == (
        "ada@example.com",
        {
            "street": "1 High Street",
            "city": "Chicago",
            "state": "IL",
            "zipCode": "60601",
            "country": "US",
            "name": "Ada Buyer",
        },
        "confirmed",
    )
    assert agent.get(session) == done.json()
    refused(agent.complete(session), 409, "session_completed")
    refused(agent.update(session, buyer=BUYER), 409, "session_completed")
    refused(agent.send(f"/{session['id']}/cancel"), 405, "session_completed")


@pytest.mark.parametrize("seed", range(12))
def test_the_figures_are_those_of_the_cart(market: Market, seller: Person, agent: Agent, seed: int) -> None:
    random = Random(seed)
    lines = []
    for _ in range(random.randint(1, 4)):
        facts: dict[str, Any] = {
            "price": random.randint(50, 9_999) / 100,
            "weightGrams": random.choice([100, 3_000, 12_000]),
            "category": random.choice(["/Electronics/Phones", "/Books", "/Grocery"]),
        }
        lines.append((market.product(seller, stock=20, **facts), random.randint(1, 5)))
    if len(lines) > 1:
        kit = kit_of(market, seller, (lines[0][0], 1), (lines[1][0], 3), price=random.randint(50, 9_999) / 100)
        lines.append((kit, random.randint(1, 4)))
    address = random.choice([None, *PLACES])
    session = agent.create(*lines, **({} if address is None else {"fulfillment_details": {"address": address}}))

    guest = guest_headers(str(uuid4()))
    for product, units in lines:
        line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": units}
        assert market.client.post("/api/v1/cart/items", json=line, headers=guest).status_code == 201
    names = {"country": "country", "state": "state", "postal_code": "zipCode"}
    where = {ours: address[theirs] for theirs, ours in names.items() if address[theirs]} if address else {}
    cart = market.client.get("/api/v1/cart", params=where, headers=guest).json()

    assert amounts(session) == {
        "items_base_amount": round(cart["subtotal"] * 100),
        "subtotal": round(cart["subtotal"] * 100),
        "fulfillment": round(cart["shipping"] * 100),
        "tax": round((cart["tax"] - cart["taxIncluded"]) * 100),
        "total": round(cart["total"] * 100),
    }
    assert [
        (option["id"], option["totals"][0]["amount"], option["latest_delivery_time"][:10])
        for option in session["fulfillment_options"]
    ] == [(one["speed"], round(one["fee"] * 100), one["to"]) for one in cart["deliveryOptions"]]
    if address is not None:
        done = agent.update(session, buyer=BUYER)
        assert agent.complete(done.json()).json()["order"]
        charged = market.scalar(
            "select o.total from orders o join checkout_sessions s using (order_id) where s.session_id = %s",
            (session["id"],),
        )
        assert int(charged * 100) == amounts(session)["total"]


def test_a_repeat_has_one_order_and_the_same_bytes(market: Market, seller: Person, agent: Agent) -> None:
    product = market.product(seller, stock=9)
    begin, key = str(uuid4()), str(uuid4())
    body = created((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
    first = agent.send("", body, begin)
    again = agent.send("", {**body, "line_items": [{**body["line_items"][0]}]}, begin)
    assert (again.status_code, again.content) == (201, first.content)
    assert (again.headers["idempotent-replayed"], again.headers["idempotency-key"]) == ("true", begin)
    refused(agent.send("", {**body, "locale": None}, begin), 422, "idempotency_conflict")

    session = first.json()
    done = agent.complete(session, key=key)
    assert agent.complete(session, key=key).content == done.content
    # The key belongs to its address: elsewhere it is another.
    refused(agent.send(f"/{session['id']}/cancel", key=key), 405, "session_completed")
    assert orders_of(market, session) == [(done.json()["order"]["id"], "confirmed")]


def test_simultaneous_requests_place_one_order(market: Market, seller: Person, agent: Agent) -> None:
    product = market.product(seller, stock=50)
    session = agent.create((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
    shared = str(uuid4())

    def ask(number: int) -> httpx.Response:
        key = shared if number % 2 else str(uuid4())
        return agent.complete(session, key=key)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    market.wait_until_settled()
    final = agent.get(session)
    placed = {
        answer.json()["order"]["id"] for answer in answers if answer.status_code == 200 and "order" in answer.json()
    }
    assert placed == {final["order"]["id"]}
    assert [status for _, status in orders_of(market, session)] == ["confirmed"]
    assert market.stock_of(product) == (49, 0)


def test_an_order_whose_answer_was_lost_is_found_again(market: Market, seller: Person, agent: Agent) -> None:
    product = market.product(seller, stock=5)
    variant = product["variants"][0]["variantId"]
    for resume in ("complete", "another key", "get", "update", "cancel"):
        session = agent.create((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
        key = str(uuid4())
        done = agent.complete(session, key=key).json()
        # As a process leaves it that died after the order's last commit.
        market.sql.execute(
            "update checkout_sessions set status = 'completing', order_id = null, view = %s::jsonb"
            " where session_id = %s",
            (orjson.dumps(session).decode(), session["id"]),
        )
        market.sql.execute("delete from idempotency_keys where key = %s", (key,))

        if resume == "complete":
            assert agent.complete(session, key=key).json()["order"] == done["order"]
        elif resume == "another key":
            refused(agent.complete(session), 409, "session_completed")
        elif resume == "update":
            refused(agent.update(session, line_items=[{"id": variant, "quantity": 2}]), 409, "session_completed")
        elif resume == "cancel":
            refused(agent.send(f"/{session['id']}/cancel"), 405, "session_completed")
        assert agent.get(session)["order"] == done["order"]
        assert amounts(agent.get(session)) == amounts(done)
        assert orders_of(market, session) == [(done["order"]["id"], "confirmed")]
    assert market.stock_of(product) == (0, 0)


def test_a_declined_card_is_told_and_another_pays(market: Market, seller: Person, agent: Agent) -> None:
    product = market.product(seller, stock=2)
    session = agent.create((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
    key = str(uuid4())

    declined = agent.complete(session, "pm_sandbox_declined", key)
    assert (declined.status_code, declined.json()["status"]) == (200, "ready_for_payment")
    assert codes(declined.json()) == [("payment_declined", None)]
    assert agent.complete(session, "pm_sandbox_declined", key).content == declined.content
    assert market.stock_of(product) == (2, 0)

    assert agent.complete(session).json()["status"] == "completed"
    assert [status for _, status in orders_of(market, session)] == ["cancelled", "confirmed"]


def test_a_gateway_that_is_silent_is_tried_again_with_the_same_key(
    market: Market, seller: Person, agent: Agent
) -> None:
    product = market.product(seller, stock=2)
    session = agent.create((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
    key = str(uuid4())
    market.sandbox.faults(unavailable=True)
    try:
        answer = agent.complete(session, key=key)
        assert (answer.status_code, answer.json()["type"]) == (503, "service_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    finally:
        market.sandbox.faults()
    assert agent.complete(session, key=key).json()["status"] == "completed"
    assert [status for _, status in orders_of(market, session)].count("confirmed") == 1


def test_a_session_that_was_tried_in_vain_can_be_changed_and_canceled(
    market: Market, seller: Person, agent: Agent
) -> None:
    product = market.product(seller, stock=5)
    session = agent.create((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
    market.sandbox.faults(unavailable=True)
    try:
        assert agent.complete(session).status_code == 503
    finally:
        market.sandbox.faults()
    variant = product["variants"][0]["variantId"]

    changed = agent.update(session, line_items=[{"id": variant, "quantity": 3}])

    assert (changed.status_code, changed.json()["line_items"][0]["quantity"]) == (200, 3)
    gone = agent.send(f"/{session['id']}/cancel", {"intent_trace": {"reason_code": "timing_deferred"}})
    assert (gone.status_code, gone.json()["status"]) == (200, "canceled")
    assert agent.get(session) == gone.json()
    refused(agent.complete(session), 409, "session_canceled")
    refused(agent.send(f"/{session['id']}/cancel"), 405, "session_canceled")
    assert market.stock_of(product) == (5, 0)


def test_what_cannot_be_had_is_told(market: Market, seller: Person, agent: Agent) -> None:
    gone, few = market.product(seller, stock=0), market.product(seller, stock=1)
    session = agent.create((gone, 1), (few, 3), buyer=BUYER, fulfillment_details=DETAILS)
    assert session["status"] == "not_ready_for_payment"
    assert codes(session) == [("out_of_stock", "$.line_items[0]"), ("quantity_exceeded", "$.line_items[1].quantity")]
    assert agent.complete(session).json()["status"] == "not_ready_for_payment"

    withdrawn = market.product(seller)
    late = agent.create((withdrawn, 1), buyer=BUYER, fulfillment_details=DETAILS)
    market.client.delete(f"/api/v1/products/{withdrawn['productId']}", headers=seller.headers)
    assert codes(agent.complete(late).json()) == [("not_found", "$.line_items[0]")]
    assert orders_of(market, late) == []


def test_another_price_is_told_before_it_is_charged(market: Market, seller: Person, agent: Agent) -> None:
    product = market.product(seller, stock=4, price=10.0)
    session = agent.create((product, 1), buyer=BUYER, fulfillment_details=DETAILS)
    raised = {"price": 12.5}
    path = f"/api/v1/products/{product['productId']}"
    assert market.client.patch(path, json=raised, headers=seller.headers).status_code == 200

    told = agent.complete(session).json()

    assert (told["status"], codes(told)) == ("ready_for_payment", [("price_change", "$.line_items[0].unit_amount")])
    assert (told["line_items"][0]["unit_amount"], orders_of(market, session)) == (1250, [])
    done = agent.complete(session).json()
    assert (done["status"], amounts(done)) == ("completed", amounts(told))


def test_a_session_expires_and_is_collected(market: Market, seller: Person, agent: Agent, server: Server) -> None:
    session = agent.create((market.product(seller), 1), buyer=BUYER, fulfillment_details=DETAILS)
    age = "update checkout_sessions set expires_at = now() - %s::interval where session_id = %s"
    market.sql.execute(age, ("1 second", session["id"]))

    seen = agent.get(session)
    assert (seen["status"], codes(seen)) == ("expired", [("expired", None)])
    refused(agent.complete(session), 409, "session_expired")
    refused(agent.update(session, buyer=BUYER), 409, "session_expired")
    refused(agent.send(f"/{session['id']}/cancel"), 405, "session_expired")
    assert orders_of(market, session) == []
    market.sql.execute(age, ("90 days", session["id"]))


async def test_sessions_long_over_are_deleted(
    market: Market, seller: Person, agent: Agent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, young = (agent.create((market.product(seller), 1)) for _ in range(2))
    market.sql.execute(
        "update checkout_sessions set expires_at = now() - interval '90 days' where session_id = %s", (over["id"],)
    )
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    async with open_context(Settings()) as context:
        assert await collect_sessions(context) >= 1
        assert await collect_sessions(context) == 0
    refused(agent.send(f"/{over['id']}", method="GET"), 404, "not_found")
    assert agent.get(young)["id"] == young["id"]


def test_options_and_addresses_are_checked(market: Market, seller: Person, agent: Agent) -> None:
    product = market.product(seller)
    variant = product["variants"][0]["variantId"]
    wrong = {**ADDRESS, "postal_code": "!!!"}
    session = agent.create((product, 1), buyer=BUYER, fulfillment_details={"address": wrong})
    assert codes(session) == [("invalid", "$.fulfillment_details.address.postal_code")]
    agent.update(session, fulfillment_details=DETAILS)

    def choose(option: str, *items: str) -> httpx.Response:
        one = {"type": "shipping", "option_id": option, "item_ids": [*items]}
        return agent.update(session, selected_fulfillment_options=[one])

    assert choose("standard", variant).json()["status"] == "ready_for_payment"
    refused(choose("prime_2day", variant), 400, "invalid_option", "$.selected_fulfillment_options[0].option_id")
    refused(choose("standard", str(uuid4())), 400, "invalid_item_id", "$.selected_fulfillment_options[0].item_ids")
    cleared = agent.update(session, fulfillment_details=None).json()
    assert ("missing", "$.fulfillment_details.address") in codes(cleared)
    path = f"/{session['id']}/complete"
    for body, code, param in (
        ({"payment_data": {"purchase_order_number": "1"}}, "missing", "$.payment_data.handler_id"),
        (payment("t", authentication_result={"outcome": "denied"}), "unsupported", "$.authentication_result"),
        (payment("4242424242424242"), "invalid", "$.payment_data.instrument.credential.token"),
    ):
        refused(agent.send(path, body), 400, code, param)
    unknown = payment("pm_sandbox_ok")
    unknown["payment_data"]["handler_id"] = "wallet"
    refused(agent.send(path, unknown), 400, "unsupported", "$.payment_data.handler_id")


def test_restrictions_hold_for_agents(market: Market, seller: Person, agent: Agent) -> None:
    wine = market.product(seller, restrictions={"minAge": 18})
    rockets = market.product(seller, restrictions={"deniedCountries": ["US"]})
    session = agent.create((wine, 1), (rockets, 1), buyer=BUYER, fulfillment_details=DETAILS)
    assert codes(session) == [
        ("age_verification_required", "$.line_items[0]"),
        ("region_restricted", "$.line_items[1]"),
    ]
    assert agent.complete(session).json()["status"] == "not_ready_for_payment"
    assert orders_of(market, session) == []


def test_what_is_delivered_online_needs_what_its_tax_needs(market: Market, seller: Person, agent: Agent) -> None:
    game, lamp = Game(market, seller, 3), market.product(seller, stock=5)
    address = {**ADDRESS, "line_one": "", "city": "", "state": "", "postal_code": ""}
    bare = {"buyer": BUYER, "fulfillment_details": {**DETAILS, "address": address}}

    ready = agent.create((game.product, 1), **bare)
    assert (ready["status"], ready["messages"], amounts(ready)["fulfillment"]) == ("ready_for_payment", [], 0)
    assert [option["type"] for option in ready["fulfillment_options"]] == ["digital"]
    place = "$.fulfillment_details.address"
    mixed = agent.create((game.product, 1), (lamp, 1), **bare)
    fields = ("line_one", "city", "state", "postal_code")
    assert codes(mixed) == [("invalid", f"{place}.{field}") for field in fields]
    canada = {**bare, "fulfillment_details": {**DETAILS, "address": {**address, "country": "CA"}}}
    assert codes(agent.create((game.product, 1), **canada)) == [("invalid", f"{place}.state")]

    done = agent.complete(ready)
    assert (done.status_code, done.json()["status"]) == (200, "completed"), done.text
    order = done.json()["order"]["id"]
    kept = market.scalar("select shipping_address from orders where order_id = %s", (order,))
    assert kept == {"country": "US", "name": "Ada Buyer"}
