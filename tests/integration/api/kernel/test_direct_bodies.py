"""A direct route that reads a body answers as FastAPI does, and leaves to it what is not plainly valid."""

import json
import re
from collections.abc import AsyncIterator, MutableMapping
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.app import create_app
from api.kernel.settings import Settings
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.sessions import guest_session
from tests.harness.shop import PASSWORD, Person

PATH = "/api/v1/cart/items"
PLAIN = "application/json"
# FastAPI reads it alike; a direct route leaves it to FastAPI.
OTHER = "application/json; charset=utf-8"
# What differs between two requests that were answered alike.
NEW = re.compile(r'"(?:cartId|cartItemId|traceId)":"[0-9a-f-]+"')


@pytest.fixture
async def app(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FastAPI]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    app = create_app(Settings())
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        yield client


@pytest.fixture
def fully(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that reach FastAPI's own route."""
    seen: list[str] = []
    handle = APIRoute.handle

    async def watched(route: APIRoute, *messages: Any) -> None:
        seen.append(route.path)
        await handle(route, *messages)

    monkeypatch.setattr(APIRoute, "handle", watched)
    return seen


def alike(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """An answer without what is new in each."""
    changing = {"etag", "location", "x-trace-id", "x-session-id", "set-cookie", "content-length"}
    headers = {name: "" if name in changing else value for name, value in answer.headers.items()}
    return answer.status_code, NEW.sub("", answer.text), headers


async def test_every_request_is_answered_alike(
    client: httpx.AsyncClient, market: Market, seller: Person, buyer: Person, fully: list[str]
) -> None:
    product = market.product(seller, price=12.5)
    item: dict[str, Any] = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"]}
    signed_in = await client.post("/api/v1/auth/login", json={"email": buyer.email, "password": PASSWORD})
    member = {"Authorization": f"Bearer {signed_in.json()['accessToken']}"}
    right: list[tuple[dict[str, str], object]] = [
        ({}, item),
        ({"X-Session-Id": "@"}, {**item, "quantity": 3}),
        ({"Cookie": "souk_session=@"}, item),
        ({"Cookie": "other=1; souk_session=@", "X-Session-Id": "@"}, item),
        ({"X-Session-Id": "@"}, {**item, "variantId": str(uuid4())}),
        ({"X-Session-Id": "short"}, item),
        ({"Authorization": "Bearer wrong"}, item),
        ({"Authorization": "Basic x", "X-Session-Id": "@"}, item),
        (member, {**item, "quantity": 1}),
    ]
    wrong: list[tuple[dict[str, str], object]] = [
        ({"X-Session-Id": "@"}, body)
        for body in (
            {**item, "quantity": 0},
            {**item, "quantity": 1000},
            {**item, "quantity": "1"},
            {**item, "quantity": 1.0},
            {**item, "quantity": 10**30},
            {**item, "more": 1},
            {**item, "product_id": item["productId"]},
            {"productId": item["productId"]},
            {**item, "variantId": None},
            {**item, "variantId": "x"},
            [item],
            None,
            "text",
        )
    ]
    texts = [
        "",
        "{",
        "NaN",
        '{"quantity": NaN}',
        json.dumps(item)[:-1] + ', "quantity": 1, "quantity": 1000}',
        "[" * 5000,
    ]

    for headers, body in [*right, *wrong, *(({"X-Session-Id": "@"}, text.encode()) for text in texts)]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answers = []
        for kind in (PLAIN, OTHER):
            client.cookies.clear()
            own = {name: value.replace("@", guest_session()) for name, value in headers.items()}
            fully.clear()
            answers.append(await client.post(PATH, content=content, headers={**own, "Content-Type": kind}))
            if (headers, body) in right:
                assert fully == ([] if kind == PLAIN else ["/cart/items"])
        # A member's second addition adds to what the first one added, so the bodies differ.
        direct, full = (alike(answer)[:: 2 if headers is member else 1] for answer in answers)
        assert direct == full, content


async def test_what_is_not_plainly_valid_reaches_fastapi_whole(
    client: httpx.AsyncClient, market: Market, seller: Person, fully: list[str]
) -> None:
    product = market.product(seller)
    content = json.dumps({"productId": product["productId"], "variantId": product["variants"][0]["variantId"]}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield content[:10]
        yield content[10:]

    twice = [("Content-Type", PLAIN), *[("X-Session-Id", guest_session()) for _ in range(2)]]
    answers = [
        await client.post(PATH, content=pieces(), headers={"Content-Type": PLAIN}),
        await client.post(PATH, content=pieces(), headers={"Content-Type": OTHER}),
        await client.post(PATH, content=content, headers=twice),
        await client.post(PATH, content=content),
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 201, 422]
    assert fully == ["/cart/items"] * 3


async def test_a_caller_who_leaves_within_the_body_is_not_answered_by_the_form(app: FastAPI, fully: list[str]) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[MutableMapping[str, Any]] = []
    headers = [(b"content-type", PLAIN.encode()), (b"content-length", b"99")]
    scope = {
        "type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(), "root_path": "", "scheme": "http",
        "query_string": b"", "headers": headers, "client": ("x", 1), "server": ("shop", 80), "http_version": "1.1",
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)

    assert sent[0]["status"] == 400
    assert fully == ["/cart/items"]


async def test_a_direct_answer_is_counted_with_its_route(
    client: httpx.AsyncClient, market: Market, seller: Person, fully: list[str]
) -> None:
    product = market.product(seller)
    item = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"]}

    async def counted() -> float:
        name = 'souk_requests_total{method="POST",route="/cart/items",status="201"}'
        lines = (await client.get("/metrics")).text.splitlines()
        return float(next((line for line in lines if line.startswith(name)), "0").rsplit(" ", 1)[-1])

    before = await counted()
    for kind in (PLAIN, OTHER):
        assert (await client.post(PATH, content=json.dumps(item), headers={"Content-Type": kind})).status_code == 201

    assert await counted() == before + 2
    assert fully.count("/cart/items") == 1
