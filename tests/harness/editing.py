"""A buyer who edits orders over HTTP."""

from collections.abc import Mapping
from typing import Any

import httpx

from tests.harness.buying import Market
from tests.harness.shop import Person


class Editing:
    """`who` is a person or the headers of a guest."""

    def __init__(self, market: Market, who: Person | Mapping[str, str]) -> None:
        self.market = market
        self.headers = who.headers if isinstance(who, Person) else dict(who)

    @staticmethod
    def line(product: dict[str, Any], units: int) -> dict[str, Any]:
        """A new line of the product's first variant."""
        return {"variantId": product["variants"][0]["variantId"], "quantity": units}

    @staticmethod
    def path(edit: Mapping[str, Any]) -> str:
        return f"/api/v1/orders/{edit['orderId']}/edits/{edit['editId']}"

    def order(self, order: str) -> dict[str, Any]:
        body: dict[str, Any] = self.market.client.get(f"/api/v1/orders/{order}", headers=self.headers).json()
        return body

    def stage(self, order: str, **change: Any) -> httpx.Response:
        headers = {**self.headers, "Idempotency-Key": next(self.market.keys)}
        return self.market.client.post(f"/api/v1/orders/{order}/edits", json=change, headers=headers)

    def staged(self, order: str, **change: Any) -> dict[str, Any]:
        """The edit, after staging it; its changes add up to its difference."""
        answer = self.stage(order, **change)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        assert round(sum(one["amount"] for one in body["changes"]), 2) == body["delta"]
        assert round(body["newTotal"] - body["oldTotal"], 2) == body["delta"]
        return body

    def get(self, edit: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = self.market.client.get(self.path(edit), headers=self.headers).json()
        return body

    def drop(self, edit: Mapping[str, Any]) -> httpx.Response:
        return self.market.client.delete(self.path(edit), headers=self.headers)

    def commit(
        self, edit: Mapping[str, Any], token: str | None = "pm_sandbox_ok", key: str | None = None
    ) -> httpx.Response:
        """`token` None: without a payment method."""
        body: dict[str, Any] = {"expectedTotal": edit["newTotal"]}
        if token is not None:
            body["paymentMethod"] = {"type": "credit_card", "token": token}
        headers = {**self.headers, "Idempotency-Key": key or next(self.market.keys)}
        return self.market.client.post(f"{self.path(edit)}/commit", json=body, headers=headers)

    def committed(self, edit: Mapping[str, Any], token: str | None = "pm_sandbox_ok") -> dict[str, Any]:
        answer = self.commit(edit, token)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body
