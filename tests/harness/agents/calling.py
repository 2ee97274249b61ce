"""An agent that calls the shop, and what it sends."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from tests.harness.agents.forms import VERSION
from tests.harness.agents.sessions import CheckoutSession, Error
from tests.harness.buying import Market

TOKEN, OTHER, SIGNER, KEY = "a-token-of-a-partner", "the-token-of-another", "a-token-of-a-signer", "the-key-of-a-signer"
PARTNERS = {"shopbot": {"token": TOKEN}, "other": {"token": OTHER}, "signer": {"token": SIGNER, "signing_key": KEY}}
ADDRESS = {
    "name": "Ada Buyer", "line_one": "1 High Street", "line_two": "", "city": "Chicago", "state": "IL",
    "country": "US", "postal_code": "60601",
}  # fmt: skip
BUYER = {"first_name": "Ada", "last_name": "Buyer", "email": "ada@example.com"}
DETAILS = {"name": "Ada Buyer", "phone_number": "15551234567", "email": "ada@example.com", "address": ADDRESS}


class Agent:
    """Calls the shop as a partner's agent does; every answer is of one of the protocol's forms."""

    def __init__(self, market: Market, token: str = TOKEN) -> None:
        self.client = market.client
        self.token = token

    def send(
        self, path: str, body: Any = None, key: str | None = None, method: str = "POST", **headers: str
    ) -> httpx.Response:
        usual = {"Authorization": f"Bearer {self.token}", "API-Version": VERSION}
        usual["Idempotency-Key"] = key or str(uuid4())
        if body is not None:
            usual["Content-Type"] = "application/json"
        # A text is sent as it is: JSON with values that only a text can have.
        content = None if body is None else body if isinstance(body, str) else json.dumps(body)
        address = f"/checkout_sessions{path}"
        answer = self.client.request(method, address, headers={**usual, **headers}, content=content)
        assert answer.headers["content-type"] == "application/json", answer.text
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        form = CheckoutSession if answer.status_code < 400 else Error
        form.model_validate(answer.json())
        return answer

    def create(self, *lines: tuple[Mapping[str, Any], int], **fields: Any) -> dict[str, Any]:
        answer = self.send("", created(*lines, **fields))
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def get(self, session: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.send(f"/{session['id']}", method="GET")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def update(self, session: Mapping[str, Any], key: str | None = None, **fields: Any) -> httpx.Response:
        return self.send(f"/{session['id']}", fields, key)

    def complete(
        self, session: Mapping[str, Any], token: str = "pm_sandbox_ok", key: str | None = None, **fields: Any
    ) -> httpx.Response:
        return self.send(f"/{session['id']}/complete", payment(token, **fields), key)


def created(*lines: tuple[Mapping[str, Any], int], **fields: Any) -> dict[str, Any]:
    items = [{"id": product["variants"][0]["variantId"], "quantity": units} for product, units in lines]
    return {"line_items": items, "currency": "usd", "capabilities": {}, **fields}


def payment(token: str, **fields: Any) -> dict[str, Any]:
    instrument = {"type": "card", "credential": {"type": "spt", "token": token}}
    return {"payment_data": {"handler_id": "card", "instrument": instrument}, **fields}


def refused(answer: httpx.Response, status: int, code: str, param: str | None = None) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json().get("param") == param
    body: dict[str, Any] = answer.json()
    return body


def codes(session: Mapping[str, Any]) -> list[tuple[str | None, str | None]]:
    return [(message.get("code"), message.get("param")) for message in session["messages"]]


def amounts(session: Mapping[str, Any]) -> dict[str, int]:
    return {total["type"]: total["amount"] for total in session["totals"]}
