"""Seeded shoppers: their orders, cards and idempotency keys. The same seed gives the same orders."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from tests.harness.api import PLAIN
from tests.harness.buying import ADDRESS
from tests.harness.sessions import guest_headers

ABROAD = {"street": "Rua Augusta 1", "city": "Lisboa", "zipCode": "1100-048", "country": "PT"}
TOKENS = ("pm_sandbox_ok",) * 5 + ("pm_sandbox_declined", "pm_sandbox_timeout")


@dataclass(frozen=True)
class Purchase:
    """One request that buys; it may be sent any number of times with its key. `session`: the guest whose cart it
    orders, or whose order it edits. `codes`: what its buyer has typed."""

    key: str
    body: dict[str, Any]
    session: str = ""
    codes: tuple[str, ...] = ()
    path: str = "/api/v1/orders"

    @property
    def headers(self) -> dict[str, str]:
        session = {"X-Session-Id": self.session} if self.session else guest_headers(self.key)
        return {**session, "Idempotency-Key": self.key}

    def send(self, url: str, timeout: float = 30) -> httpx.Response | None:
        """The answer, or None when the process died during the request."""
        try:
            with httpx.Client(base_url=url, timeout=timeout, trust_env=False, verify=PLAIN) as client:
                return client.post(self.path, json=self.body, headers=self.headers)
        except httpx.TransportError:
            return None


def purchases(
    seed: int, name: str, products: Sequence[dict[str, Any]], tokens: Sequence[str] = TOKENS, codes: Sequence[str] = ()
) -> Iterator[Purchase]:
    """Endless orders of one to three lines over `products`, many of them to two addresses, all with the codes."""
    rng = random.Random(f"{seed}-{name}")
    number = 0
    while True:
        number += 1
        chosen = rng.sample(list(products), rng.randint(1, min(3, len(products))))
        lines = [
            {"productId": p["productId"], "variantId": p["variants"][0]["variantId"], "quantity": rng.randint(1, 3)}
            for p in chosen
        ]
        body: dict[str, Any] = {
            "items": lines,
            "shippingAddress": ADDRESS,
            "paymentMethod": {"type": "credit_card", "token": rng.choice(list(tokens))},
            "email": "guest@example.com",
        }
        apart = random.Random(f"apart-{seed}-{name}-{number}").random() < 0.4
        if apart and sum(line["quantity"] for line in lines) > 1:
            one = {"variantId": lines[0]["variantId"], "quantity": 1}
            body |= {"destinations": [{"shippingAddress": ABROAD, "lines": [one]}], "shippingPreference": "together"}
        if codes:
            body["couponCodes"] = list(codes)
        yield Purchase(f"{name}-{seed}-{number}", body, codes=tuple(codes))


def from_cart(purchase: Purchase, url: str) -> Purchase:
    """The same purchase, of the cart of a new guest that is filled at `url`."""
    session = ""
    with httpx.Client(base_url=url, timeout=30, trust_env=False, verify=PLAIN) as client:
        for line in purchase.body["items"]:
            added = client.post("/api/v1/cart/items", json=line, headers={"X-Session-Id": session} if session else {})
            assert added.status_code == 201, added.text
            session = session or added.headers["x-session-id"]
        for code in purchase.codes:
            used = client.post("/api/v1/cart/coupons", json={"code": code}, headers={"X-Session-Id": session})
            assert used.status_code == 200, used.text
    body = {name: value for name, value in purchase.body.items() if name not in {"items", "couponCodes"}}
    return Purchase(purchase.key, body, session, purchase.codes)


def send_all(pairs: Sequence[tuple[Purchase, str]]) -> list[httpx.Response | None]:
    """Send every (purchase, API URL) at the same time; the answers are in the same order."""
    with ThreadPoolExecutor(max(1, len(pairs))) as pool:
        return list(pool.map(lambda pair: pair[0].send(pair[1]), pairs))
