"""What a request costs in round trips, and that SQL is written out only where it saves one.

The requests below run in this process, and every statement that leaves it is seen. Each text of a noun's
`statements.py` must be among them: one that is not belongs in SQLAlchemy Core, or a request that runs it belongs here.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import TextClause, text

from api import nouns
from api.app import create_app
from api.carts.additions import MAX_LINES
from api.carts.jobs import expire_carts
from api.checkout.commands import complete_abandoned
from api.inventory.commands import release_expired
from api.inventory.warehouses import kept
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.settings import Settings
from api.orders.parcels.repair import fill_parcels
from api.orders.popularity import units_sold_in_category_of
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.coupons import promote
from tests.harness.digital import Game
from tests.harness.kits import kit_of, made_of
from tests.harness.reviews import Reviewing
from tests.harness.sessions import guest_headers
from tests.harness.shop import PASSWORD, Person
from tests.harness.wire import Wire, watched_wire

# The most statements and the most round trips that a request may cost, with its session already read. BEGIN goes out
# with the first statement of a transaction; its COMMIT is a round trip.
COSTS = {
    "place": (4, 4),
    "place the cart": (4, 4),
    "place the cart, declined": (3, 3),
    "place the cart, ordered": (2, 2),
    "place, declined": (3, 3),
    "place, too many": (2, 2),
    "place, backordered": (4, 4),
    "place, again": (1, 1),
    "place, still running": (2, 2),
    # What its codes stand for is read in a round trip of its own; the promotions are locked in that of the commit.
    "place with a code": (7, 5),
    "place with a code, declined": (7, 4),
    "read the cart with a code": (3, 2),
    # What it is made of is read in a round trip of its own.
    "place a kit": (5, 5),
    "place a kit with a key": (5, 5),
    "place what is delivered online": (4, 4),
    "read the cart with a kit": (2, 2),
    "change a kit": (18, 14),
    # An order is locked by a statement of its own, in the round trip of the one that reads it.
    "cancel": (13, 14),
    "cancel with a code": (14, 15),
    "stage an edit": (10, 11),
    "drop an edit": (2, 3),
    "commit an edit, declined": (9, 9),
    "commit an edit, paid": (16, 16),
    "commit an edit, nothing to pay": (10, 10),
    "advance": (6, 6),
    "return": (7, 7),
    "approve": (13, 14),
    "adjust": (6, 7),
    "set stock": (15, 13),
    # Of what buyers see: what is known of it is read in one more round trip, and judged.
    "change a variant": (17, 12),
    "change a title": (13, 8),
    "change what has no version": (14, 9),
    "change what waits then": (16, 11),
    # Of two sellers; with the stores that sell it, in one round trip.
    "offers": (2, 1),
    "stock": (3, 4),
    "stock of all": (1, 1),
    "low stock": (5, 7),
    "count": (7, 8),
    "transfer": (8, 9),
    "best sellers of a category": (1, 1),
    "add to cart": (3, 1),
    "change a line": (2, 1),
    "remove a line": (2, 1),
    "read the cart": (1, 1),
    "refresh": (1, 1),
    # With the product, the plan of the page, the counts of its stars and the names of their authors.
    "list reviews": (6, 2),
    "list verified reviews": (7, 2),
    "summary of reviews": (2, 1),
    # The product; behind the author's lock, all that decides about it; both rows with what was found and decided; the
    # commit; and what is answered. With the reviews that are there, pictures are two more.
    "submit a review": (10, 5),
    "edit a review": (12, 6),
    "vote on a review": (4, 4),
    "own reviews": (4, 2),
}
BEGUN_BEFORE_CARTS_WERE_CLAIMED = """
    with checkout as (
        update checkouts set recovery_point = 'captured', plan = plan - 'cart', lease_expires_at = now()
        where order_id = %s returning actor_key, idempotency_key)
    update idempotency_keys k set status = 'in_progress', response_status = null, response_headers = null,
           response_body = null
    from checkout c where (k.actor_key, k.key) = (c.actor_key, c.idempotency_key)"""


class Counted:
    """The application in this process, with the SQL that it has sent."""

    def __init__(self, client: httpx.AsyncClient, ctx: Context, wire: Wire) -> None:
        self.client, self.ctx, self.wire = client, ctx, wire
        self.costs: dict[str, tuple[int, int]] = {}
        self.keys = (f"round-trips-{n}" for n in count())
        self.tokens: dict[str, str] = {}

    @property
    def sent(self) -> tuple[int, int]:
        """Statements and round trips until now."""
        return len(self.wire.statements), len(self.wire.trips)

    def note(self, name: str, before: tuple[int, int]) -> None:
        """The difference is the cost of `name`."""
        now = self.sent
        self.costs[name] = now[0] - before[0], now[1] - before[1]

    async def token_of(self, who: Person) -> str:
        """Signed in here: this process signs tokens with a key of its own. Checking a password takes a tenth of a
        second, so once for each."""
        if who.email not in self.tokens:
            signed_in = await self.client.post("/api/v1/auth/login", json={"email": who.email, "password": PASSWORD})
            self.tokens[who.email] = signed_in.json()["accessToken"]
        return self.tokens[who.email]

    async def send(
        self,
        name: str,
        who: Person,
        path: str,
        body: dict[str, Any] | None,
        method: str = "POST",
        *,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Send a request, with a new idempotency key unless `key` is given, and note under `name` what it cost."""
        headers = {"Authorization": f"Bearer {await self.token_of(who)}", "Idempotency-Key": key or next(self.keys)}
        await self.client.get("/api/v1/users/me", headers=headers)  # the session is read, and kept
        before = self.sent
        answer = await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        self.note(name, before)
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture
async def counted(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counted]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    app = create_app(Settings())
    # What is kept for seconds falls due between two requests: the clock stands still, so no request reads it anew.
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        with watched_wire() as wire:
            yield Counted(client, app.state.context, wire)


async def test_requests_cost_what_is_written_here(
    counted: Counted, market: Market, seller: Person, buyer: Person
) -> None:
    product = market.product(seller, stock=9)
    other_warehouse = market.warehouse("TRIPS")
    async with counted.ctx.db.read() as tx:
        await kept.origins_in(tx, None)  # as every process does once
    variant = product["variants"][0]["variantId"]
    once = market.order_body((product, 2))
    order = await counted.send("place", buyer, "/orders", once, key="once")
    assert await counted.send("place, again", buyer, "/orders", once, key="once") == order
    market.sql.execute("update idempotency_keys set status = 'in_progress' where key = 'once'")
    running = await counted.send("place, still running", buyer, "/orders", once, key="once")
    assert running["type"] == "/problems/request-in-flight"
    market.sql.execute("update idempotency_keys set status = 'done' where key = 'once'")
    await counted.send("place, too many", buyer, "/orders", market.order_body((product, 99)))
    line = {"productId": product["productId"], "variantId": variant, "quantity": 1}
    (held,) = (await counted.send("add to cart", buyer, "/cart/items", line))["items"]
    path = f"/cart/items/{held['cartItemId']}"
    assert (await counted.send("change a line", buyer, path, {"quantity": 2}, "PUT"))["itemCount"] == 2
    assert (await counted.send("remove a line", buyer, path, None, "DELETE"))["items"] == []
    await counted.send("add to cart", buyer, "/cart/items", line)
    assert (await counted.send("read the cart", buyer, "/cart", None, "GET"))["itemCount"] == 1
    await counted.send("refresh", buyer, "/auth/refresh", {"refreshToken": market.person().refresh_token})
    declined = {**market.order_body(token="pm_sandbox_declined"), "items": None}
    await counted.send("place the cart, declined", buyer, "/orders", declined)
    cart = await counted.send("place the cart", buyer, "/orders", {**once, "items": None})
    assert cart["status"] == "confirmed"
    again = await counted.send("place the cart, ordered", buyer, "/orders", {**once, "items": None})
    assert again["orderNumber"] == cart["orderNumber"]
    assert counted.costs["place the cart"] == counted.costs["place"], "the claim costs no round trip"
    await counted.send("cancel", buyer, f"/orders/{order['orderId']}/cancel", {})
    declined = market.order_body((product, 1), token="pm_sandbox_declined")
    await counted.send("place, declined", buyer, "/orders", declined)
    await with_backorders(counted, market, buyer, seller)
    await with_codes(counted, market, buyer, seller, product)
    await with_kits(counted, market, buyer, seller)
    await with_edits(counted, market, buyer, product)
    order = await counted.send("place", buyer, "/orders", market.order_body((product, 2)))
    path = f"/orders/{order['orderId']}"
    for status in ("processing", "shipped", "delivered"):
        await counted.send("advance", seller, f"{path}/advance", {"status": status})
    lines = market.client.get(f"/api/v1{path}", headers=buyer.headers).json()["items"]
    back = {"items": [{"orderItemId": lines[0]["orderItemId"], "quantity": 2}], "reason": "too loud"}
    await counted.send("return", buyer, f"{path}/return", back)
    decided = await counted.send("approve", seller, f"{path}/return/decision", {"approve": True})
    assert decided["status"] == "return_approved"
    level = (await counted.send("stock", seller, f"/inventory/variants/{variant}", None, "GET"))["warehouses"][0]
    change = {"variantId": variant, "warehouseId": level["warehouseId"], "change": 1}
    await counted.send("adjust", seller, "/inventory/adjustments", change)
    place = f"/inventory/variants/{variant}/warehouses/{level['warehouseId']}"
    assert (await counted.send("count", seller, place, {"available": 9}, "PUT"))["available"] == 9
    elsewhere = {"fromWarehouseId": level["warehouseId"], "toWarehouseId": other_warehouse, "quantity": 2}
    await counted.send("transfer", seller, "/inventory/transfers", {"variantId": variant, **elsewhere})
    low = await counted.send("low stock", seller, f"/inventory/variants/{variant}", {"lowStockAt": 9}, "PATCH")
    assert (low["stock"], low["lowStockAt"]) == (9, 9)
    listed = await counted.send("stock of all", seller, "/inventory/variants?low=true", None, "GET")
    assert variant in {one["variantId"] for one in listed["variants"]}
    count = {"variants": [{"sku": product["variants"][0]["sku"], "stock": 7}]}
    changed = await counted.send("set stock", seller, f"/products/{product['productId']}", count, "PATCH")
    assert changed["variants"][0]["stock"] == 7
    renamed = {"variants": [{"variantId": variant, "sku": "TRIPS-2", "price": 11.0}]}
    await counted.send("change a variant", seller, f"/products/{product['productId']}", renamed, "PATCH")
    other = {"title": "Round trips, told anew"}
    await counted.send("change a title", seller, f"/products/{product['productId']}", other, "PATCH")
    market.sql.execute("alter table product_versions disable trigger user")
    market.sql.execute("delete from product_versions")
    market.sql.execute("alter table product_versions enable trigger user")
    first = {"title": "Round trips, for the first time"}
    await counted.send("change what has no version", seller, f"/products/{product['productId']}", first, "PATCH")
    held = {"description": "With a grenade."}
    queued = await counted.send("change what waits then", seller, f"/products/{product['productId']}", held, "PATCH")
    assert queued["status"] == "pending_review"
    await with_offers(counted, market, buyer)
    await with_reviews(counted, market, buyer, seller)
    async with counted.ctx.db.read() as tx:
        before = counted.sent
        await units_sold_in_category_of(tx, UUID(product["productId"]), 10)
        counted.note("best sellers of a category", before)
    await release_expired(counted.ctx)
    assert await fill_parcels(counted.ctx) == 0
    market.sql.execute(BEGUN_BEFORE_CARTS_WERE_CLAIMED, (cart["orderId"],))
    assert await complete_abandoned(counted.ctx) == 1
    market.sql.execute("update carts set expires_at = now()")
    assert await expire_carts(counted.ctx) == 1

    print(counted.costs)
    assert unseen(texts(), counted.wire.statements) == [], "run it in a request above, or build it of columns"
    assert counted.costs.keys() == COSTS.keys()
    over = {name: cost for name, cost in counted.costs.items() if cost[0] > COSTS[name][0] or cost[1] > COSTS[name][1]}
    assert over == {}


async def with_offers(counted: Counted, market: Market, buyer: Person) -> None:
    products = [
        market.product(market.person("seller"), variants=[{"gtin": "4006381333931"}], title=f"Offer {number}")
        for number in range(2)
    ]
    path = f"/products/{products[0]['productId']}/offers"
    found = await counted.send("offers", buyer, path, None, "GET")
    assert len(found["offers"]) == 2


async def with_reviews(counted: Counted, market: Market, buyer: Person, seller: Person) -> None:
    reviewing = Reviewing(market, seller)
    answered = reviewing.review(market.person())["reviewId"]
    assert reviewing.on(seller, "POST", answered, "/answer", json={"text": "Thank you."}).status_code == 201
    path, spam = f"/products/{reviewing.id}/reviews", "Great one. Call me: +49 170 1234567"
    made = await counted.send("submit a review", buyer, path, {"rating": 5, "comment": spam})
    assert made["status"] == "queued"
    review = f"/reviews/{made['reviewId']}"
    edited = await counted.send("edit a review", buyer, review, {"comment": "Great one."}, "PATCH")
    assert edited["status"] == "published"
    voted = await counted.send("vote on a review", buyer, f"/reviews/{answered}/helpful", None)
    assert voted["helpfulCount"] == 1
    listed = await counted.send("list reviews", buyer, path, None, "GET")
    assert {one["reviewId"] for one in listed["reviews"]} == {answered, made["reviewId"]}
    only = await counted.send("list verified reviews", buyer, f"{path}?verified=true", None, "GET")
    assert only["pagination"]["total"] == 0
    await counted.send("summary of reviews", buyer, f"{path}/summary", None, "GET")
    own = await counted.send("own reviews", buyer, "/users/me/reviews", None, "GET")
    assert made["reviewId"] in {one["reviewId"] for one in own["reviews"]}


async def with_backorders(counted: Counted, market: Market, buyer: Person, seller: Person) -> None:
    product = market.product(seller, stock=1)
    market.sql.execute(
        "update warehouse_stock set backorder_limit = 3 where variant_id = %s", (product["variants"][0]["variantId"],)
    )
    order = await counted.send("place, backordered", buyer, "/orders", market.order_body((product, 2)))
    assert [
        one["status"]
        for one in market.client.get(f"/api/v1/orders/{order['orderId']}", headers=buyer.headers).json()["parcels"]
    ] == ["confirmed", "backordered"]


async def with_codes(counted: Counted, market: Market, buyer: Person, seller: Person, product: dict[str, Any]) -> None:
    promote(market, seller, "TRIPS-1")
    coded = {**market.order_body((product, 1)), "couponCodes": ["TRIPS-1"]}
    payment = {"type": "credit_card", "token": "pm_sandbox_declined"}
    await counted.send("place with a code, declined", buyer, "/orders", {**coded, "paymentMethod": payment})
    order = await counted.send("place with a code", buyer, "/orders", coded)
    await counted.send("cancel with a code", buyer, f"/orders/{order['orderId']}/cancel", {})
    other = market.person()
    line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 1}
    market.client.post("/api/v1/cart/items", json=line, headers=other.headers)
    assert market.client.post("/api/v1/cart/coupons", json={"code": "TRIPS-1"}, headers=other.headers).is_success
    cart = await counted.send("read the cart with a code", other, "/cart", None, "GET")
    assert cart["discount"] == 1.0
    market.sql.execute("delete from carts where user_id = %s", (other.user_id,))


async def with_kits(counted: Counted, market: Market, buyer: Person, seller: Person) -> None:
    parts = [market.product(seller, stock=9) for _ in range(2)]
    kit = kit_of(market, seller, (parts[0], 1), (parts[1], 2))
    variant = kit["variants"][0]["variantId"]
    await counted.send("place a kit", buyer, "/orders", market.order_body((kit, 1)))
    game = Game(market, seller, 3)
    keyed = kit_of(market, seller, (parts[0], 1), (game.product, 1))
    await counted.send("place a kit with a key", buyer, "/orders", market.order_body((keyed, 1)))
    online = market.order_body((game.product, 1), shippingAddress={"country": "US"})
    await counted.send("place what is delivered online", buyer, "/orders", online)
    other = market.person()
    line = {"productId": kit["productId"], "variantId": variant, "quantity": 1}
    market.client.post("/api/v1/cart/items", json=line, headers=other.headers)
    cart = await counted.send("read the cart with a kit", other, "/cart", None, "GET")
    assert cart["subtotal"] == 10.0
    more = {"variants": [{"variantId": variant, "components": made_of((parts[0], 3), (parts[1], 1))}]}
    await counted.send("change a kit", seller, f"/products/{kit['productId']}", more, "PATCH")
    market.sql.execute("delete from carts where user_id = %s", (other.user_id,))


async def with_edits(counted: Counted, market: Market, buyer: Person, product: dict[str, Any]) -> None:
    order = await counted.send("place", buyer, "/orders", market.order_body((product, 1)))
    path = f"/orders/{order['orderId']}/edits"
    more = {"add": [{"variantId": product["variants"][0]["variantId"], "quantity": 1}]}
    staged = await counted.send("stage an edit", buyer, path, more)
    before = counted.sent
    headers = {"Authorization": f"Bearer {await counted.token_of(buyer)}"}
    await counted.client.delete(f"/api/v1{path}/{staged['editId']}", headers=headers)
    counted.note("drop an edit", before)
    for name, token in (("declined", "pm_sandbox_declined"), ("paid", "pm_sandbox_ok")):
        staged = await counted.send("stage an edit", buyer, path, more)
        payment = {"type": "credit_card", "token": token}
        body = {"expectedTotal": staged["newTotal"], "paymentMethod": payment}
        await counted.send(f"commit an edit, {name}", buyer, f"{path}/{staged['editId']}/commit", body)
    moved = {"street": "1 Pine St", "city": "Seattle", "state": "WA", "zipCode": "98101", "country": "US"}
    staged = await counted.send("stage an edit", buyer, path, {"shippingAddress": moved})
    assert staged["delta"] == 0
    body = {"expectedTotal": staged["newTotal"]}
    await counted.send("commit an edit, nothing to pay", buyer, f"{path}/{staged['editId']}/commit", body)


async def test_adding_to_a_cart_costs_the_same_among_many_carts(
    counted: Counted, market: Market, seller: Person, buyer: Person
) -> None:
    """The cart is locked, the units are added and the cart is read in one round trip."""
    product = market.product(seller, stock=9)
    variant = product["variants"][0]["variantId"]
    market.sql.execute(
        "WITH others AS (INSERT INTO carts (cart_id, session_id, expires_at)"
        " SELECT gen_random_uuid(), 'other-' || n, now() + interval '1 day' FROM generate_series(1, %s) n"
        " RETURNING cart_id) INSERT INTO cart_items"
        " (cart_item_id, cart_id, product_id, variant_id, quantity, price_at_addition)"
        " SELECT gen_random_uuid(), cart_id, %s, %s, 1, 1 FROM others",
        (MAX_LINES, product["productId"], variant),
    )

    item = {"productId": product["productId"], "variantId": variant, "quantity": 1}
    await counted.send("add to cart", buyer, "/cart/items", item)

    assert counted.costs == {"add to cart": (3, 1)}


async def test_hot_requests_build_no_statement(counted: Counted, market: Market, seller: Person) -> None:
    """What a request sends was there before it: to build, compile or find a statement by its structure takes longer
    than to send it."""
    first, second = (market.product(seller, stock=50) for _ in range(2))
    guest = guest_headers("hot requests build no statement")
    item = {"productId": first["productId"], "variantId": first["variants"][0]["variantId"], "quantity": 1}
    tokens = [market.person().refresh_token]
    promote(market, seller, "HOT-1")

    async def all_once() -> list[httpx.Response]:
        body = market.order_body((second, 1), email="guest@example.com", couponCodes=["HOT-1"])
        placed = await counted.client.post(
            "/api/v1/orders", json=body, headers={**guest, "Idempotency-Key": next(counted.keys)}
        )
        added = await counted.client.post("/api/v1/cart/items", json=item, headers=guest)
        line = f"/api/v1/cart/items/{added.json()['items'][0]['cartItemId']}"
        renewed = await counted.client.post("/api/v1/auth/refresh", json={"refreshToken": tokens.pop()})
        tokens.append(renewed.json()["refreshToken"])
        return [
            placed,
            added,
            renewed,
            await counted.client.put(line, json={"quantity": 3}, headers=guest),
            await counted.client.delete(line, headers=guest),
            await counted.client.get("/api/v1/cart", headers=guest),
            await counted.client.get("/api/v1/products"),
            await counted.client.get("/api/v1/products", params={"brand": ["A", "B"], "sort": "price_asc"}),
            await counted.client.get(f"/api/v1/products/{first['productId']}"),
            await counted.client.get("/api/v1/categories"),
            await counted.client.get(f"/api/v1/orders/{placed.json()['orderId']}", headers=guest),
        ]

    await all_once()
    counted.wire.built.clear()
    answers = await all_once()

    assert [answer.status_code for answer in answers] == [201, 201, *[200] * 9]
    assert counted.wire.built == []


def test_a_text_that_no_request_runs_is_seen() -> None:
    save = "UPDATE carts SET version = :version WHERE cart_id = :cart_id"

    part = "WITH a AS (UPDATE carts SET version = %(version)s WHERE cart_id = %(cart_id)s RETURNING 1) SELECT 1"

    assert unseen([("SAVE", save)], [part]) == []
    assert unseen([("SAVE", save)], ["UPDATE carts SET expires_at = now()"]) == ["SAVE"]
    assert unseen([("SAVE", save)], [part.replace("cart_id = %", "user_id = %")]) == ["SAVE"]


def test_a_whole_statement_is_not_seen_in_a_longer_one() -> None:
    longer = "SELECT 1 FROM carts WHERE cart_id = %(cart_id)s FOR UPDATE"

    assert unseen([("READ", text("SELECT 1 FROM carts WHERE cart_id = :cart_id"))], [longer]) == ["READ"]
    assert unseen([("LOCK", text("SELECT 1 FROM carts WHERE cart_id = :cart_id FOR UPDATE"))], [longer]) == []


def unseen(named: Iterable[tuple[str, str | TextClause]], seen: Iterable[str]) -> list[str]:
    """The names of the texts that no statement contains, and of the whole statements (`text(...)`) that none equals."""
    statements = {flat(sql) for sql in seen}
    return [
        name
        for name, sql in named
        if (
            as_sent(sql.text) not in statements
            if isinstance(sql, TextClause)
            else not any(as_sent(sql) in statement for statement in statements)
        )
    ]


def texts() -> Iterator[tuple[str, str | TextClause]]:
    """Every SQL text that a `statements.py` holds, by name."""
    for path in sorted(nouns.ROOT.glob("*/**/statements.py")):
        module = import_module(".".join(("api", *path.relative_to(nouns.ROOT).with_suffix("").parts)))
        for name, value in vars(module).items():
            sql = value.text if isinstance(value, TextClause) else value
            # The marts are DuckDB's: reading them costs no round trip.
            if name.startswith("__") or not isinstance(sql, str) or re.search(r"\b(mart|fct|dim)_", sql):
                continue
            if re.search(r"\b(SELECT|INSERT|UPDATE)\b", sql):
                yield f"{Path(path.parent.name) / path.name}: {name}", value


def as_sent(sql: str) -> str:
    """A text with its binds in the form in which they are sent."""
    return flat(re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql))


def flat(sql: str) -> str:
    return " ".join(sql.split())
