"""A shop whose processes are killed: a durable database, a gateway with its own ledger, and what must hold afterwards.

It is made by the fixture `world` of `tests/chaos/conftest.py`.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import Violation, violations
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env, running_sandbox, wait_until
from tests.harness.coupons import promote, redeemed
from tests.harness.fleet import Fleet
from tests.harness.postgres import PostgresHarness
from tests.harness.shop import Person
from tests.harness.workload import Purchase

LEASE_SECONDS = 2
SETTLED_WITHIN = 90


@dataclass
class World:
    """Processes that can be forked and killed, and the people and products of their shop. `codes`: promotion of each
    code that purchases have."""

    postgres: PostgresHarness
    database_url: str
    redis_url: str
    sandbox: Sandbox
    fleet: Fleet
    api: Server
    market: Market
    seller: Person
    products: list[dict[str, Any]]
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def settle(self) -> float:
        """A healthy worker until nothing is open; seconds it took."""
        worker, began = self.fleet.worker(), time.monotonic()
        self.market.wait_until_settled(SETTLED_WITHIN)
        took = time.monotonic() - began
        wait_until(lambda: self.market.scalar("select count(*) from outbox_events where published_at is null") == 0, 30)
        worker.kill9()
        return took

    def sound(self) -> None:
        """Every invariant holds, and the gateway's own ledger says the same as our payments."""
        assert self.violations() == []

    def violations(self) -> list[Violation]:
        return violations(self.database_url, [Gateway(self.sandbox.url, SANDBOX_KEY)])

    def promote(self, code: str, **fields: Any) -> str:
        """A code of ten per cent off."""
        self.codes[code] = promote(self.market, self.seller, code, **fields)
        return code

    def finals(self, sent: Sequence[Purchase], answers: Sequence[httpx.Response | None]) -> list[httpx.Response]:
        """Everybody asks again, while a worker finishes, and gets one final answer: the one they may have had."""
        worker = self.fleet.worker()
        again = [ask_until_final(purchase, self.api.url) for purchase in sent]
        self.market.wait_until_settled(SETTLED_WITHIN)
        worker.kill9()
        for purchase, first, second in zip(sent, answers, again, strict=True):
            if first is not None and first.status_code < 500:
                assert (first.status_code, first.content) == (second.status_code, second.content), purchase.key
        return again

    def check(self, sent: Sequence[Purchase], answers: Sequence[httpx.Response | None]) -> list[httpx.Response]:
        """The final answers of purchases; what they say is so, and every invariant holds."""
        again = self.finals(sent, answers)
        for purchase, final in zip(sent, again, strict=True):
            placed = final.status_code == 201
            if placed:
                status = self.market.scalar("select status from orders where order_id = %s", (final.json()["orderId"],))
                assert status == "confirmed"
            if purchase.session:
                self.check_cart(purchase, ordered=placed)
        for code in {code for purchase in sent for code in purchase.codes}:
            placed_with = {
                final.json()["orderId"]
                for purchase, final in zip(sent, again, strict=True)
                if code in purchase.codes and final.status_code == 201
            }
            self.check_code(code, placed_with)
        self.sound()
        return again

    def check_cart(self, purchase: Purchase, *, ordered: bool) -> None:
        """What was ordered has left the cart, and nothing has when there is no order; nobody claims it any more."""
        row = self.market.sql.execute(
            "select c.claimed_by, (select count(*) from cart_items i where i.cart_id = c.cart_id),"
            " (select count(*) from checkouts o where o.session_id = c.session_id and o.recovery_point = 'completed')"
            " from carts c where c.session_id = %s",
            (purchase.session,),
        ).fetchone()
        assert row is not None
        assert row[0] is None, purchase.key
        assert (row[1] > 0, row[2]) == ((False, 1) if ordered else (True, 0)), purchase.key

    def check_code(self, code: str, placed: set[str]) -> None:
        """The orders that live have redeemed the code once each, nothing else has, and each took off what it says."""
        rows = self.market.sql.execute(
            "select r.order_id::text, r.discount, o.discount from coupon_redemptions r join orders o using (order_id)"
            " where r.code = %s and r.status = 'redeemed'",
            (code,),
        ).fetchall()
        assert sorted(order for order, _, _ in rows) == sorted(placed), code
        assert all(given == off > 0 for _, given, off in rows), code
        counter, living, _ = redeemed(self.market, self.codes[code])
        assert counter == living == len(placed), code


@contextmanager
def crash_world(folder: Path, postgres: PostgresHarness, redis_url: str) -> Iterator[World]:
    """A new shop on the server, with one healthy API."""
    with running_sandbox(folder, stall_seconds=3) as sandbox:
        url = postgres.url(postgres.fresh_database())
        env = buying_env(
            sandbox,
            DATABASE_URL=url,
            REDIS_URL=redis_url,
            SOUK_CHECKOUT_LEASE_SECONDS=str(LEASE_SECONDS),
            # A checkout that is given up because it is old passes no more points: on a slow machine too it must wait.
            SOUK_CHECKOUT_DEADLINE_SECONDS="600",
            SOUK_GATEWAY_TIMEOUT_SECONDS="2",
            SOUK_DB_POOL_SIZE="4",
        )
        with Fleet(folder / "souk", env) as fleet:
            api = fleet.api()
            market = Market(api, url, sandbox)
            seller = market.person("seller")
            products = [market.product(seller, stock=5_000, price=5.0 + n) for n in range(6)]
            yield World(postgres, url, redis_url, sandbox, fleet, api, market, seller, products)
            market.close()


def ask_until_final(purchase: Purchase, url: str) -> httpx.Response:
    """The same request again, as a client should after 503, 409 in flight or nothing at all."""
    deadline = time.monotonic() + SETTLED_WITHIN
    while True:
        answer = purchase.send(url)
        if answer is not None and answer.status_code in {200, 201, 402, 409} and "request-in-flight" not in answer.text:
            return answer
        assert time.monotonic() < deadline, (purchase.key, answer and answer.text)
        time.sleep(0.3)
