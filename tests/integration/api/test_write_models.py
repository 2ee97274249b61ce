"""Every field that a client may send is used: stored, or read to decide something. None is accepted and dropped.

Each operation that writes is called with a full body, in this process, and every read of a field outside the schemas is
recorded. A field that nobody reads fails here, unless the model is declared as kept whole.
"""

import hashlib
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import pytest
from pydantic import BaseModel

from api.app import create_app
from api.catalog.languages.schemas import Translation
from api.catalog.restrictions.schemas import Restrictions
from api.catalog.schemas import Responsible, Safety
from api.checkout.schemas import GivenAddress
from api.identity.models import Address
from api.identity.schemas import AddressIn
from api.kernel.schemas import Wire
from api.kernel.settings import Settings
from api.sellers.schemas import Policies, PostalAddress, SafetyContact, TraderData
from tests.harness.api import Server
from tests.harness.buying import ADDRESS, Market
from tests.harness.kits import kit_body, kit_of, made_of
from tests.harness.scene import Request, Scene, make_scene
from tests.harness.sessions import guest_headers, mailed_token
from tests.harness.shop import PASSWORD, Person
from tests.harness.write_models import body_of, write_models

# No code names the fields of these: they are stored as JSON documents, one as a row whose columns have the same names.
KEPT_WHOLE: dict[type[BaseModel], str] = {
    GivenAddress: "orders.shipping_address",
    AddressIn: "addresses",
    Policies: "seller_profiles.policies",
    TraderData: "seller_profiles.contact",
    PostalAddress: "seller_profiles.contact",
    SafetyContact: "seller_profiles.safety_contact",
    Safety: "product_safety.data",
    Restrictions: "products.restrictions",
    Translation: "products.translations",
    Responsible: "product_safety.data",
}


def fields_of(operation: str) -> set[str]:
    """The fields of an operation's body, as the wire spells them."""
    return {field.alias or name for name, field in body_of(operation).model_fields.items()}


class Reads:
    """(model, field) pairs that the code of the shop read."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Within this block, every read of a field of a wire model outside the schemas is remembered."""
        seen, read = self.seen, Wire.__getattribute__

        def getattribute(model: Wire, name: str) -> object:
            caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - who reads is the question
            if name in type(model).model_fields and caller.startswith("api.") and not caller.endswith(".schemas"):
                seen.update((kind.__name__, name) for kind in type(model).__mro__)
            return read(model, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Wire, "__getattribute__", getattribute)
            yield

    def unread(self, models: set[type[BaseModel]]) -> list[str]:
        """Fields of `models` that were not read, but for those kept whole."""
        return sorted(
            f"{model.__name__}.{field}"
            for model in models - KEPT_WHOLE.keys()
            for field in model.model_fields
            if (model.__name__, field) not in self.seen
        )


@pytest.fixture(scope="module")
def scene(market: Market, seller: Person, buyer: Person) -> Scene:
    return make_scene(market, seller, buyer)


@pytest.fixture(scope="module")
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process, with the settings of the market's server."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.env.items():
            patch.setenv(name, value)
        app = create_app(Settings())
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=server.url) as asgi:
        yield asgi


async def signed_in(client: httpx.AsyncClient, person: Person) -> Person:
    """The person with tokens of this process."""
    answer = await client.post("/api/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    return replace(person, access_token=answer.json()["accessToken"], refresh_token=answer.json()["refreshToken"])


async def accepted(scene: Scene, client: httpx.AsyncClient) -> dict[str, list[Request]]:
    """Requests that are accepted, each operation in every form of its body."""
    buyer, seller, admin = [await signed_in(client, one) for one in (scene.buyer, scene.seller, scene.admin)]
    here = replace(scene, buyer=buyer, seller=seller, admin=admin)
    requests = {name: [request] for name, request in here.requests().items()}

    def change(name: str, headers: dict[str, str] | None = None, **fields: object) -> None:
        (old,) = requests[name]
        requests[name] = [Request(old.method, old.path, {**old.body, **fields}, headers or old.headers)]

    change("register", email="new@example.com", password=PASSWORD)
    change("login", email=buyer.email, password=PASSWORD)
    change("refresh", refreshToken=buyer.refresh_token)
    change("logout", refreshToken=buyer.refresh_token)
    change("advanceOrder", status="processing")
    change("cancelOrder", buyer.headers)
    change("placeOrder", expectedTotal=None)
    change("previewOrder", expectedTotal=None)
    change("exchangeOrderItem", expectedTotal=None)
    exchange = requests["exchangeOrderItem"][0]
    for name in ("replaceProduct", "changeProduct"):
        change(name, variants=[{"sku": name, "attributes": {"color": name}, "price": 11, "stock": 3}])
    parts = [scene.market.product(scene.seller) for _ in range(2)]
    named = [*made_of((parts[0], 1)), {"sku": parts[1]["variants"][0]["sku"], "units": 2}]
    kit = kit_of(scene.market, scene.seller, *((part, 1) for part in parts))
    for name, path in (
        ("createProduct", ""),
        ("replaceProduct", kit["productId"]),
        ("changeProduct", kit["productId"]),
    ):
        fields = kit_body(scene.market, variants=[{"sku": f"K-{name}", "attributes": {}, "components": named}])
        url = f"/api/v1/products/{path}".rstrip("/")
        requests[name].append(Request(requests[name][0].method, url, fields, seller.headers))
    address = (await client.post("/api/v1/users/me/addresses", json=ADDRESS, headers=buyer.headers)).json()
    order = scene.market.order_body((scene.product, 1), shippingAddress={"addressId": address["addressId"]})
    elsewhere = {**exchange.body, "shippingAddress": order["shippingAddress"]}
    requests["exchangeOrderItem"].append(Request("POST", exchange.path, elsewhere, exchange.headers))
    change("returnOrder", items=[{"orderItemId": scene.line, "quantity": 1}])
    decision = requests["decideReturn"][0]
    path = f"/api/v1/orders/{scene.delivered}/return/decision"
    requests["decideReturn"] = [Request("POST", path, decision.body, decision.headers)]
    requests["placeOrder"].append(Request("POST", "/api/v1/orders", order, buyer.headers))
    shown = {name: value for name, value in order.items() if name != "paymentMethod"}
    requests["previewOrder"].append(Request("POST", "/api/v1/orders/preview", shown, buyer.headers))
    elsewhere = {**requests["stageOrderEdit"][0].body, "shippingAddress": {"addressId": address["addressId"]}}
    requests["stageOrderEdit"].append(replace(requests["stageOrderEdit"][0], body=elsewhere))
    guests = _guests_order(scene)
    change("lookUpOrder", orderNumber=guests)
    change("lookUpDigitalGoods", orderNumber=guests)
    return requests


def _guests_order(scene: Scene) -> str:
    """The number of a guest's order that the code of the scene opens, once looked at, then claimed."""
    body = scene.market.order_body((scene.product, 1), email="g@example.com")
    placed = scene.market.buy(guest_headers(), body).json()
    token = mailed_token("scene")
    scene.market.sql.execute(
        "insert into order_tokens (token_id, token_hash, purpose, order_id, expires_at) values (%s, %s, 'order', %s,"
        " now() + interval '1 hour')",
        (uuid5(NAMESPACE_URL, "scene"), hashlib.sha256(token.encode()).digest(), placed["orderId"]),
    )
    return str(placed["orderNumber"])


def written() -> dict[str, set[type[BaseModel]]]:
    """The models of every operation but those of the agents' protocol, whose bodies their own tests try."""
    return {name: models for name, models in write_models().items() if not name.endswith("CheckoutSession")}


def test_there_is_one_full_request_for_every_operation_that_writes(scene: Scene) -> None:
    """`tests/security/test_bad_values.py` replaces each value of these requests: what they lack is never tried."""
    requests, found = scene.requests(), written()
    assert sorted(requests) == sorted(found), "give each operation a request in tests/harness/scene.py"
    assert {name: lacking for name in found if (lacking := fields_of(name) - requests[name].body.keys())} == {}, (
        "name these fields in tests/harness/scene.py"
    )


async def test_every_field_of_every_write_model_is_read(scene: Scene, client: httpx.AsyncClient) -> None:
    requests, unread = await accepted(scene, client), {}
    # The order that is moved on first is cancelled last, and whoever has signed out may do no more.
    last = ("cancelOrder", "logout")
    for name, models in sorted(written().items(), key=lambda item: item[0] in last):
        reads = Reads()
        for request in requests[name]:
            with reads.recorded():
                headers = {"Idempotency-Key": next(scene.market.keys), **request.headers}
                answer = await client.request(request.method, request.path, json=request.body, headers=headers)
            assert answer.status_code < 300, f"{name}: {answer.status_code} {answer.text}"
        if missing := reads.unread(models):
            unread[name] = missing
    assert unread == {}


def test_a_field_that_only_schemas_and_tests_read_is_named() -> None:
    class Body(Wire):
        stored: int
        dropped: int

    source = "def touch(body): return body.{}"
    reads, body = Reads(), Body(stored=1, dropped=2)
    with reads.recorded():
        for name, field in (("api.reviews.commands", "stored"), ("api.reviews.schemas", "dropped")):
            module: dict[str, Any] = {"__name__": name}
            exec(source.format(field), module)  # noqa: S102 - a module of the shop that does not exist
            module["touch"](body)
        assert body.dropped == 2
    assert reads.unread({Body}) == ["Body.dropped"]


def test_what_is_kept_whole_has_a_place_for_every_field() -> None:
    assert AddressIn.model_fields.keys() <= set(Address.__table__.columns.keys())
