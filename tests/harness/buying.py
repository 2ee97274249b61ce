"""A shop in which tests can buy: API, payment sandbox, optionally a worker, and the gateway's ledger."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from tests.harness.api import Server
from tests.harness.processes import Module
from tests.harness.shop import Address, Person, Shop

SANDBOX_KEY = "sandbox-key-of-tests"
ADDRESS = {"street": "1 High Street", "city": "Chicago", "state": "IL", "zipCode": "60601", "country": "US"}


class Sandbox(Server):
    """The payment gateway and its own ledger."""

    def __init__(self, folder: Path, stall_seconds: float = 5.0) -> None:
        env = {
            "SOUK_SANDBOX_KEY": SANDBOX_KEY,
            "SOUK_SANDBOX_STALL_SECONDS": str(stall_seconds),
            "SOUK_SANDBOX_CARRIER_SECONDS": "0",
        }
        super().__init__("api.sandbox", "SOUK_SANDBOX_URL", folder, env)

    def faults(self, **faults: Any) -> None:
        """Set the faults from now on; no arguments: no faults."""
        with self.client(Authorization=f"Bearer {SANDBOX_KEY}") as client:
            assert client.put("/v1/faults", json=faults).status_code == 200

    def labels(self) -> list[dict[str, Any]]:
        """Every label that the carrier has sold."""
        with self.client(Authorization=f"Bearer {SANDBOX_KEY}") as client:
            found: list[dict[str, Any]] = client.get("/carrier/v1/labels").json()["labels"]
            return found

    def scan(self, tracking_number: str, **fields: Any) -> dict[str, Any]:
        """Let the carrier scan a parcel: at the next step of its way, or as the fields say."""
        with self.client(Authorization=f"Bearer {SANDBOX_KEY}") as client:
            answer = client.post("/carrier/v1/advance", json={"trackingNumber": tracking_number, **fields})
            assert answer.status_code == 200, answer.text
            event: dict[str, Any] = answer.json()
            return event

    def ledger(self) -> list[dict[str, Any]]:
        """Every row that the gateway has recorded."""
        with self.client(Authorization=f"Bearer {SANDBOX_KEY}") as client:
            entries: list[dict[str, Any]] = []
            after: int | None = 0
            while after is not None:
                page = client.get("/v1/ledger", params={"after": after, "limit": 50_000}).json()
                entries += page["entries"]
                after = page["next"]
            return entries


class Worker(Module):
    """`python -m api.worker`; tests kill it and start it again."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        super().__init__("api.worker", folder, env)


class Market(Shop):
    """A shop with a gateway. `buy` is the request of one buyer."""

    def __init__(self, server: Address, database_url: str, sandbox: Sandbox) -> None:
        super().__init__(server, database_url)
        self.database_url = database_url
        self.sandbox = sandbox
        self.keys = (f"key-{uuid4().hex[:6]}-{n}" for n in itertools.count(1))

    def reconnect(self) -> None:
        """Open a new connection after the server was down."""
        self.sql.close()
        self.sql = psycopg.connect(self.database_url, autocommit=True)

    def order_body(
        self, *lines: tuple[dict[str, Any], int], token: str = "pm_sandbox_ok", **fields: Any
    ) -> dict[str, Any]:
        """The request body for `lines` of (product detail, units), with the first variant of each."""
        return {
            "items": [
                {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": units}
                for product, units in lines
            ],
            "shippingAddress": ADDRESS,
            "paymentMethod": {"type": "credit_card", "token": token},
            "deliverySpeed": "standard",
            **fields,
        }

    def buy(self, buyer: Person | Mapping[str, str], body: dict[str, Any], key: str | None = None) -> httpx.Response:
        """POST /orders; `buyer` is a person or the headers of a guest."""
        headers = buyer.headers if isinstance(buyer, Person) else dict(buyer)
        return self.client.post(
            "/api/v1/orders", json=body, headers={**headers, "Idempotency-Key": key or next(self.keys)}
        )

    def place(self, buyer: Person, seller: Person, units: int = 2, price: float = 10.0) -> tuple[str, dict[str, Any]]:
        """(order id, product) of a new order for `units` of a new product that had nine units."""
        product = self.product(seller, stock=9, price=price)
        answer = self.buy(buyer, self.order_body((product, units)))
        assert answer.status_code == 201, answer.text
        return answer.json()["orderId"], product

    def post(self, who: Person, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """POST /orders/PATH with a new key."""
        headers = {**who.headers, "Idempotency-Key": next(self.keys)}
        return self.client.post(f"/api/v1/orders/{path}", json=body or {}, headers=headers)

    def deliver(self, seller: Person, order_id: str) -> None:
        """The seller's three steps from confirmed to delivered."""
        for status in ("processing", "shipped", "delivered"):
            answer = self.post(seller, f"{order_id}/advance", {"status": status})
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] == status

    def money_of(self, order_id: str) -> tuple[Decimal, Decimal]:
        """(captured, refunded) of an order's payment."""
        row = self.sql.execute(
            "select captured_amount, refunded_amount from payments where order_id = %s", (order_id,)
        ).fetchone()
        assert row is not None
        return row[0], row[1]

    def wait_until_settled(self, seconds: float = 60) -> None:
        """Wait until no checkout and no edit is open. Raises AssertionError naming the open ones."""
        wait_until(lambda: self.open_checkouts() == [], seconds, self.open_checkouts)

    def open_checkouts(self) -> list[tuple[Any, ...]]:
        """(id, point, attempts) of checkouts and of edits that are not over."""
        return self.sql.execute(
            "select checkout_id, recovery_point, attempts from checkouts where recovery_point not in ('completed',"
            " 'failed') union all select edit_id, point, attempts from order_edits where point not in ('staged',"
            " 'completed', 'failed')"
        ).fetchall()


def wait_until(condition: Callable[[], bool], seconds: float = 60, why: Callable[[], object] = lambda: "") -> None:
    """Check every 100 ms. Raises AssertionError with the text of `why` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


async def until(condition: Callable[[], bool]) -> None:
    """The same for 10 s, while other requests of this process go on."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within 10 s")


@contextmanager
def running_sandbox(folder: Path, stall_seconds: float = 5.0) -> Iterator[Sandbox]:
    """A started gateway, killed at the end; what it has answered, it has recorded."""
    sandbox = Sandbox(folder, stall_seconds)
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.kill9()


def buying_env(sandbox: Sandbox, **env: str) -> dict[str, str]:
    """The environment in which the API and the worker reach the gateway.

    Its timeouts are long, so that a busy test machine does not make the shop reject requests.
    """
    patience = {"SOUK_DB_POOL_TIMEOUT_SECONDS": "30", "SOUK_DB_LOCK_TIMEOUT_MS": "4500"}
    return {"SOUK_SANDBOX_URL": sandbox.url, "SOUK_SANDBOX_KEY": SANDBOX_KEY, **patience, **env}
