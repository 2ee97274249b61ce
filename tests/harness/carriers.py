"""Parcels of a market that the sandbox carrier takes: their labels, and its messages to the shop."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.idempotency import RequestKey
from api.orders.labels.schemas import BuyLabel
from api.shipping.signatures import HEADER, signed
from tests.harness.api import Server, api_of
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env
from tests.harness.shop import Person

WEBHOOK = "/api/v1/shipping/webhooks/sandbox"


def running_with_carrier(folder: Path, database_url: str, redis_url: str, sandbox: Sandbox) -> Iterator[Server]:
    """The API, and the sandbox, whose carrier is told where the shop is; whoever made the sandbox stops it."""
    api = api_of(folder, database_url, redis_url, buying_env(sandbox))
    sandbox.start(SOUK_API_URL=api.url)
    api.start()
    yield api
    api.stop()


class Carriage:
    """What a seller and a carrier do with the parcels of a market."""

    def __init__(self, market: Market, seller: Person, buyer: Person) -> None:
        self.market = market
        self.seller = seller
        self.buyer = buyer

    def parcel(
        self, guest: dict[str, str] | None = None, *, price: float = 10.0, packed: bool = True
    ) -> tuple[str, str]:
        """(order id, parcel id) of a new order of two units."""
        product = self.market.product(self.seller, stock=9, price=price)
        extra = {"email": "guest@example.com"} if guest else {}
        answer = self.market.buy(guest or self.buyer, self.market.order_body((product, 2), **extra))
        assert answer.status_code == 201, answer.text
        order_id = answer.json()["orderId"]
        parcel_id = self.parcels_of(order_id)[0]
        if packed:
            assert self.do(parcel_id, "process").status_code == 200
        return order_id, parcel_id

    def parcels_of(self, order_id: str) -> list[str]:
        rows = self.market.sql.execute("select parcel_id from parcels where order_id = %s order by number", (order_id,))
        return [str(row[0]) for row in rows.fetchall()]

    def do(
        self, parcel_id: str, what: str, body: dict[str, Any] | None = None, *, who: Person | None = None, key: str = ""
    ) -> httpx.Response:
        """POST /sellers/me/parcels/ID/WHAT."""
        headers = {**(who or self.seller).headers, "Idempotency-Key": key or next(self.market.keys)}
        return self.market.client.post(f"/api/v1/sellers/me/parcels/{parcel_id}/{what}", json=body, headers=headers)

    def label(self, parcel_id: str, *, key: str = "") -> dict[str, Any]:
        """Buy the parcel's label."""
        answer = self.do(parcel_id, "label", self.offer(), key=key)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def offer(self, **fields: Any) -> dict[str, Any]:
        return {"carrier": "sandbox", "service": "sandbox-standard", "price": 6.5, **fields}

    def events(self, number: str, *kinds: str, begin: datetime | None = None) -> list[dict[str, Any]]:
        """One event of each kind, a minute after the other."""
        first = begin or clock.now() - timedelta(hours=1)
        return [
            {
                "eventId": f"evt-{uuid4().hex}",
                "trackingNumber": number,
                "kind": kind,
                "occurredAt": (first + timedelta(minutes=place)).isoformat(),
                "place": f"place {place}",
            }
            for place, kind in enumerate(kinds)
        ]

    def say(self, events: Sequence[dict[str, Any]], **changed: Any) -> httpx.Response:
        """A message of the carrier. `changed`: `key` or `at` of its signature, or `body` after it was signed."""
        body = json.dumps({"events": list(events)}).encode()
        header = signed(changed.get("key", SANDBOX_KEY), body, changed.get("at", clock.now()))
        headers = {} if changed.get("unsigned") else {HEADER: header}
        return self.market.client.post(WEBHOOK, content=changed.get("body", body), headers=headers)

    def status(self, parcel_id: str) -> str:
        return str(self.market.scalar("select status from parcels where parcel_id = %s", (parcel_id,)))

    def scans(self, number: str) -> int:
        count = "select count(*) from parcel_scans where tracking_number = %s"
        return int(self.market.scalar(count, (number,)))

    def on_its_way(self, parcel_id: str) -> str:
        """The number of a packed parcel, which its carrier has scanned once."""
        number: str = self.label(parcel_id)["trackingNumber"]
        assert self.say(self.events(number, "accepted")).status_code == 200
        assert self.status(parcel_id) == "shipped"
        return number


def sold_to(market: Market, parcel_id: str) -> list[dict[str, Any]]:
    """The carrier's labels of a parcel."""
    row = market.sql.execute(
        "select order_number || '/' || number from parcels join orders using (order_id) where parcel_id = %s",
        (parcel_id,),
    ).fetchone()
    assert row is not None
    return [one for one in market.sandbox.labels() if one["reference"] == row[0]]


def intent(parcel_id: str, seller: Person) -> tuple[Actor, RequestKey, UUID, BuyLabel]:
    """A request for a label, for the commands of this process."""
    actor = Actor("seller", UUID(seller.user_id))
    key = RequestKey(actor.key, uuid4().hex, "POST label", b"hash")
    request = BuyLabel.model_validate({"carrier": "sandbox", "service": "sandbox-standard", "price": 5.4})
    return actor, key, UUID(parcel_id), request
