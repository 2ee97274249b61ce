"""A digital product of tests, and what its buyers see of it."""

from random import Random
from typing import Any
from uuid import uuid4

import httpx

from tests.harness.buying import Market
from tests.harness.shop import Person


class Game:
    """A digital product with a pool of keys, of which each begins with its name."""

    def __init__(self, market: Market, seller: Person, keys: int, **fields: Any) -> None:
        self.market, self.seller, self.name = market, seller, f"G{uuid4().hex[:8]}"
        body = {"title": self.name, "category": str(market.category("/Games")), "price": 20.0, "kind": "digital"}
        answer = market.client.post("/api/v1/products", json={**body, **fields}, headers=seller.headers)
        assert answer.status_code == 201, answer.text
        self.product: dict[str, Any] = answer.json()
        self.variant: str = self.product["variants"][0]["variantId"]
        self.path = f"/api/v1/products/{self.product['productId']}"
        self.pool_path = f"{self.path}/variants/{self.variant}/keys"
        self.keys = [f"{self.name}-{n:03}" for n in range(keys)]
        if keys:
            assert self.add(self.keys).json()["added"] == keys

    def add(self, keys: list[str], seller: Person | None = None) -> httpx.Response:
        headers = (seller or self.seller).headers
        return self.market.client.post(self.pool_path, json={"keys": keys}, headers=headers)

    def withdraw(self, keys: list[str], who: Person | None = None, **fields: Any) -> httpx.Response:
        headers = (who or self.seller).headers
        return self.market.client.post(f"{self.pool_path}/withdrawals", json={"keys": keys, **fields}, headers=headers)

    def pool(self) -> tuple[int, int, int]:
        """(for sale, nobody's, delivered)."""
        found = self.market.client.get(self.pool_path, headers=self.seller.headers).json()
        return found["available"], found["undelivered"], found["delivered"]

    def order(self, buyer: Person, units: int = 1, **fields: Any) -> str:
        """The id of a new order of it."""
        answer = self.market.buy(buyer, self.market.order_body((self.product, units), **fields))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["orderId"])


def random_file(market: Market, seller: Person, draw: Random) -> dict[str, Any]:
    """A digital product that is a file, which never runs out, as its page shows it."""
    price, tax_class = draw.choice([0.01, 9.99, 34.99]), draw.choice(["standard", "books"])
    game = Game(market, seller, 0, price=price, taxClass=tax_class, primeEligible=draw.random() < 0.6)
    path = f"{game.path}/variants/{game.variant}/file"
    answer = market.client.put(path, content=b"%PDF", params={"name": "a.pdf"}, headers=seller.headers)
    assert answer.status_code == 200, answer.text
    return market.detail(game.product["productId"])


def keys_of(market: Market, buyer: Person, order: str) -> list[str]:
    """What the buyer sees."""
    answer = market.client.get(f"/api/v1/orders/{order}/digital-goods", headers=buyer.headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    return [key for line in answer.json()["lines"] for key in line["keys"]]
