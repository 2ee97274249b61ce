"""Any Unicode text through every text field of the API: taken or refused by name, and neither change capture nor the
consumer of behaviour events ever stops.

The fields are those of docs/openapi.json, so a new one without a request here fails the test.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.harness.api import running_api
from tests.harness.buying import ADDRESS, Market, buying_env, running_sandbox
from tests.harness.cdc import CdcLab
from tests.harness.events import EventsLab
from tests.harness.postgres import PostgresHarness
from tests.harness.processes import ROOT
from tests.harness.redis import RedisHarness, running_redis
from tests.harness.sessions import guest_headers
from tests.harness.shop import PASSWORD, Person
from warehouse.lake.read import read_current

Body = dict[str, Any]
# One character of every 256, and every one that text is commonly split at, hidden by, or refused for.
SPECIAL = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
SAMPLE = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if code % 256 == 65
    or code & 0xFFFE == 0xFFFE
    or (unicodedata.category(chr(code)) in SPECIAL and (unicodedata.category(chr(code)) != "Cs" or code % 512 == 0))
]
BLOCK = 60
# What must be one of a few words, a secret or an amount: sent alone, since a request with it is never fulfilled.
ALONE = {
    *(".paymentMethod.type", ".paymentMethod.token", ".category", ".password", ".refreshToken", ".email", ".phone"),
    *(".country", ".shippingAddress.country", ".variants[].sku", ".images[]", ".events[].sessionId"),
}
AMOUNTS = {".price", ".listPrice", ".variants[].price", ".expectedTotal"}


class Field(NamedTuple):
    path: str
    limit: int
    pattern: str


@dataclass
class Scene:
    """The people and things that requests name."""

    market: Market
    seller: Person
    buyer: Person
    product: Body

    def order(self) -> str:
        answer = self.market.buy(self.buyer, self.market.order_body((self.product, 1)))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["orderId"])

    def delivered(self) -> tuple[str, str]:
        """An order that has arrived, and its line."""
        order = self.order()
        self.market.deliver(self.seller, order)
        line = self.market.client.get(f"/api/v1/orders/{order}", headers=self.buyer.headers).json()["items"][0]
        return order, str(line["orderItemId"])


class Request(NamedTuple):
    path: str
    body: Body
    headers: Mapping[str, str]


def _product(scene: Scene) -> Body:
    variant = {"sku": uuid4().hex, "price": 9.5, "attributes": {"color": uuid4().hex}, "stock": 3}
    category = str(scene.market.category("/Home/Lamps"))
    return {"title": "t", "description": "d", "brand": "b", "category": category, "price": 9.5, "variants": [variant]}


def _place(scene: Scene) -> Request:
    body = scene.market.order_body((scene.product, 1), shippingAddress={**ADDRESS, "name": "n"})
    return Request("/api/v1/orders", body, scene.buyer.headers)


def _cancel(scene: Scene) -> Request:
    return Request(f"/api/v1/orders/{scene.order()}/cancel", {}, scene.buyer.headers)


def _return(scene: Scene) -> Request:
    order, line = scene.delivered()
    items = [{"orderItemId": line, "quantity": 1}]
    return Request(f"/api/v1/orders/{order}/return", {"items": items, "reason": "r"}, scene.buyer.headers)


def _decide(scene: Scene) -> Request:
    asked = _return(scene)
    answer = scene.market.client.post(asked.path, json=asked.body, headers={**asked.headers, **_key()})
    assert answer.status_code == 200, answer.text
    return Request(f"{asked.path}/decision", {"approve": True}, scene.seller.headers)


def _profile(scene: Scene) -> Request:
    return Request("/api/v1/users/me", {}, scene.buyer.headers)


def _address(scene: Scene) -> Request:
    return Request("/api/v1/users/me/addresses", {**ADDRESS}, scene.market.person().headers)


def _register(_scene: Scene) -> Request:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "n", "userType": "seller"}
    return Request("/api/v1/auth/register", body, {})


def _events(_scene: Scene) -> Request:
    event = {"type": "search", "query": "q", "source": "s", "campaign": "c", "eventId": str(uuid4())}
    return Request("/api/v1/events", {"events": [event]}, guest_headers("of this test"))


REQUESTS: dict[tuple[str, str], Callable[[Scene], Request]] = {
    ("post", "/api/v1/orders"): _place,
    ("post", "/api/v1/orders/{orderId}/cancel"): _cancel,
    ("post", "/api/v1/orders/{orderId}/return"): _return,
    ("post", "/api/v1/orders/{orderId}/return/decision"): _decide,
    ("post", "/api/v1/auth/register"): _register,
    ("post", "/api/v1/auth/login"): lambda s: Request(
        "/api/v1/auth/login", {"email": s.buyer.email, "password": PASSWORD}, {}
    ),
    ("post", "/api/v1/auth/refresh"): lambda _: Request("/api/v1/auth/refresh", {}, {}),
    ("post", "/api/v1/auth/logout"): lambda s: Request("/api/v1/auth/logout", {}, s.buyer.headers),
    ("patch", "/api/v1/users/me"): _profile,
    ("post", "/api/v1/users/me/addresses"): _address,
    ("post", "/api/v1/products"): lambda s: Request("/api/v1/products", _product(s), s.seller.headers),
    ("put", "/api/v1/products/{productId}"): lambda s: Request(
        f"/api/v1/products/{s.product['productId']}", _product(s), s.seller.headers
    ),
    ("patch", "/api/v1/products/{productId}"): lambda s: Request(
        f"/api/v1/products/{s.product['productId']}", {"variants": _product(s)["variants"]}, s.seller.headers
    ),
    ("post", "/api/v1/events"): _events,
}


def fields_of(document: Body) -> dict[tuple[str, str], list[Field]]:
    """Operation -> its fields of free text, by the API's own description; attributes of variants have free keys too."""
    found: dict[tuple[str, str], list[Field]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            fields = list(_fields(document, content["schema"])) if content else []
            fields = [field for field in fields if field.path not in AMOUNTS]
            if fields:
                found[method, path] = fields
    return found


def _fields(document: Body, schema: Body, path: str = "") -> Iterator[Field]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    for choice in schema.get("anyOf", []):
        yield from _fields(document, choice, path)
    if schema.get("type") == "string" and not {"format", "enum", "const"} & set(schema):
        yield Field(path, schema.get("maxLength", 200), schema.get("pattern", ""))
    for name, inner in schema.get("properties", {}).items():
        yield from _fields(document, inner, f"{path}.{name}")
    if "items" in schema:
        yield from _fields(document, schema["items"], f"{path}[]")
    for pattern in schema.get("patternProperties", {}):
        yield Field(f"{path}{{}}", schema["propertyNames"]["maxLength"], pattern)


def put(body: Body, path: str, value: str) -> None:
    """Set the value at a path such as `.items[].reason`, in the first item of each list."""
    parts = [part for part in re.split(r"\.|(?=\[\])|(?=\{\})", path) if part]
    here: Any = body
    last = parts[-1]
    for part, following in pairwise(parts):
        here = here[0] if part == "[]" else here.setdefault(part, [] if following == "[]" else {})
    if last == "[]":
        here[:] = [value]
    elif last == "{}":
        here[value] = value
    else:
        here[last] = value


def filled(request: Request, fields: list[Field], block: str) -> Request:
    for field in fields:
        taken = "".join(c for c in block if not field.pattern or re.search(field.pattern, f"a{c}z"))
        put(request.body, field.path, f"a{(taken if field.pattern else block)[: max(field.limit, 3) - 2]}z")
    return request


def send(scene: Scene, operation: tuple[str, str], fields: list[Field], block: str) -> int:
    """How many characters the shop took. A refused text is cut in halves until the characters it is refused for are
    alone."""
    path, body, headers = filled(REQUESTS[operation](scene), fields, block)
    answer = scene.market.client.request(
        operation[0].upper(),
        path,
        content=json.dumps(body),  # escapes: a lone surrogate has no UTF-8
        headers={**headers, **_key(), "Content-Type": "application/json"},
    )
    if answer.is_success:
        return len(block)
    assert answer.status_code in {400, 401, 402, 404, 409, 422}, (operation, block, answer.text)
    if len(block) == 1 or answer.status_code != 422:
        return 0
    middle = len(block) // 2
    return sum(send(scene, operation, fields, part) for part in (block[:middle], block[middle:]))


def _key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


@pytest.fixture
def lab(postgres_server: PostgresHarness, tmp_path: Path) -> Iterator[CdcLab]:
    lab = CdcLab.of_shop(postgres_server, tmp_path)
    lab.start_thread()
    lab.wait_state("streaming")
    yield lab
    lab.close()


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[RedisHarness]:
    with running_redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def scene(lab: CdcLab, stream: RedisHarness, tmp_path: Path) -> Iterator[Scene]:
    with (
        running_sandbox(tmp_path / "sandbox") as sandbox,
        running_api(tmp_path / "api", lab.url, stream.url, **buying_env(sandbox)) as server,
    ):
        market = Market(server, lab.url, sandbox)
        seller = market.person("seller")
        yield Scene(market, seller, market.person(), market.product(seller, stock=9_000))
        market.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_any_text_through_every_field_stops_nothing(
    lab: CdcLab, stream: RedisHarness, scene: Scene, tmp_path: Path
) -> None:
    operations = fields_of(json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")))
    assert set(operations) == set(REQUESTS), "an operation has text fields and no request here, or none any more"
    events = EventsLab(stream, tmp_path / "events")
    events.start_thread()
    blocks = ["".join(SAMPLE[at : at + BLOCK]) for at in range(0, len(SAMPLE), BLOCK)]
    try:
        for operation, fields in operations.items():
            together = [field for field in fields if field.path not in ALONE]
            taken = sum(send(scene, operation, together, block) for block in blocks) if together else len(SAMPLE)
            assert taken > len(SAMPLE) * 0.9, operation
            for field in fields:
                if field.path in ALONE:
                    send(scene, operation, [field], "".join(SAMPLE[:BLOCK]))
        last = scene.market.client.post("/api/v1/events", json=_events(scene).body)
        assert last.status_code == 202
        events.wait(lambda: "q" in events.landed("query"), 60)
    finally:
        events.stop()
    queries = "".join(filter(None, events.landed("query")))
    lab.assert_exact()
    status = lab.status()
    products = read_current(lab.lake, "products", lab.watermark()).to_pylist()
    descriptions = "".join(str(row["description"]) for row in products)

    assert (status["stoppedTables"], status["snapshots"]) == ({}, 1)
    assert {"\u2028", "\u2029", "\x85"} <= set(descriptions) & set(queries)
