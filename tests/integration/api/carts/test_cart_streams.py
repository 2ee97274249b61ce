"""Streams of a cart's changes over HTTP: another device's change is heard within a second, what was missed is said
again, and an open stream costs Postgres nothing."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.carts import changes, commands
from api.carts.changes import Stream, Streams, announce, name_of
from api.carts.errors import TooManyStreams
from api.carts.schemas import AddItem
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.server import GRACE_SECONDS
from api.kernel.settings import Settings
from tests.harness.api import PLAIN, Server, running_api
from tests.harness.buying import Market
from tests.harness.shop import Person, problem
from tests.harness.wire import watched_wire

Event = dict[str, Any]
WITHIN = 1.0


class Browser:
    """One device: its headers, and its stream."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def add(self, product: dict[str, Any], quantity: int = 1) -> httpx.Response:
        variant = product["variants"][0]["variantId"]
        body = {"productId": product["productId"], "variantId": variant, "quantity": quantity}
        return await self.client.post("/api/v1/cart/items", json=body, headers=self.headers)

    @contextlib.asynccontextmanager
    async def listening(self, seen: str | None = None) -> "AsyncIterator[Heard]":
        headers = {**self.headers, "Accept": "text/event-stream"}
        if seen is not None:
            headers["Last-Event-ID"] = seen
        async with self.client.stream("GET", "/api/v1/cart/events", headers=headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            yield Heard(answer)


class Heard:
    """What an EventSource makes of the stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.last_id = ""
        self._lines = answer.aiter_lines()

    async def begun(self) -> str:
        """The id that it begins with."""
        async with asyncio.timeout(5):
            while not self.last_id:
                self._id(await anext(self._lines))
        return self.last_id

    async def event(self, within: float = WITHIN) -> Event:
        """The next event."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(within):
            async for line in self._lines:
                self._id(line)
                if not line and "data" in fields:
                    assert fields["event"] == "cart"
                    event: Event = json.loads(fields["data"])
                    return event
                name, _, value = line.partition(": ")
                fields[name] = value
        raise AssertionError("the stream has ended")

    def _id(self, line: str) -> None:
        if line.startswith("id: "):
            self.last_id = line.removeprefix("id: ")


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False, verify=PLAIN) as client:
        yield client


@pytest.fixture(scope="module")
def product(market: Market, seller: Person) -> dict[str, Any]:
    return market.product(seller, stock=500)


@pytest.fixture
async def ctx(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    async with open_context(Settings()) as context:
        yield context


async def test_two_browsers_see_each_others_changes_within_a_second(
    market: Market, server: Server, client: httpx.AsyncClient, product: dict[str, Any], tmp_path: Path
) -> None:
    """The second one is connected to another process."""
    added = await client.post("/api/v1/cart/items", json=_item(product))
    guest, cart_id = {"X-Session-Id": added.headers["x-session-id"]}, added.json()["cartId"]
    line = f"/api/v1/cart/items/{added.json()['items'][0]['cartItemId']}"
    took = []

    async def heard_by(*streams: Heard) -> list[Event]:
        began = time.monotonic()
        events = [await stream.event() for stream in streams]
        took.append(time.monotonic() - began)
        return events

    async with contextlib.AsyncExitStack() as stack:
        other = stack.enter_context(another_process(server, tmp_path))
        elsewhere = await stack.enter_async_context(
            httpx.AsyncClient(base_url=other.url, timeout=30, trust_env=False, verify=PLAIN)
        )
        one, two = Browser(client, guest), Browser(elsewhere, guest)
        at_one, at_two = [await stack.enter_async_context(browser.listening()) for browser in (one, two)]
        assert await at_one.begun() == await at_two.begun() == f"{cart_id}:1"
        for version, browser in enumerate((one, two), 2):
            await browser.add(product)
            event = {"cartId": cart_id, "version": version, "itemCount": version}
            assert await heard_by(at_one, at_two) == [event, event]
        await client.put(line, json={"quantity": 7}, headers=guest)
        assert [event["itemCount"] for event in await heard_by(at_two, at_one)] == [7, 7]
        body = {**market.order_body(), "items": None, "email": "guest@example.com"}
        headers = {**guest, "Idempotency-Key": next(market.keys)}
        assert (await client.post("/api/v1/orders", json=body, headers=headers)).status_code == 201
        assert await heard_by(at_two) == [{"cartId": cart_id, "version": 5, "itemCount": 0}]
    print("heard after", [f"{1000 * seconds:.0f} ms" for seconds in took])


@contextlib.contextmanager
def another_process(server: Server, folder: Path) -> Iterator[Server]:
    env = {name: server.env[name] for name in server.env if name.startswith(("SOUK_SANDBOX", "SOUK_DB_"))}
    with running_api(folder, server.env["DATABASE_URL"], server.env["REDIS_URL"], **env) as other:
        yield other


def _item(product: dict[str, Any]) -> dict[str, Any]:
    return {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 1}


async def test_a_guest_listens_with_the_cookie_and_hears_nothing_of_others(
    market: Market, client: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    added = await client.post("/api/v1/cart/items", json=_item(product))
    session = added.headers["x-session-id"]
    client.cookies.clear()
    guest = Browser(client, {"Cookie": f"souk_session={session}"})
    other = Browser(client, market.person().headers)
    async with guest.listening() as heard:
        assert heard.answer.headers["content-type"].startswith("text/event-stream")
        assert heard.answer.headers["cache-control"] == "no-store"
        assert await heard.begun() == f"{added.json()['cartId']}:1"
        await other.add(product)
        await guest.add(product)
        assert await heard.event() == {"cartId": added.json()["cartId"], "version": 2, "itemCount": 2}


async def test_what_was_missed_is_said_at_once(
    market: Market, client: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    browser = Browser(client, market.person().headers)
    async with browser.listening() as heard:
        seen = await heard.begun()
    cart = (await browser.add(product)).json()

    async with browser.listening(seen) as heard:
        assert await heard.event() == {"cartId": cart["cartId"], "version": 1, "itemCount": 1}
        last = heard.last_id
    async with browser.listening(last) as heard:
        assert await heard.begun() == last
        with pytest.raises(TimeoutError):
            await heard.event(within=0.3)


async def test_a_guest_who_signs_in_moves_the_cart_to_the_members_stream(
    market: Market, client: httpx.AsyncClient, product: dict[str, Any]
) -> None:
    person = market.person()
    added = await client.post("/api/v1/cart/items", json=_item(product))
    guest = {"X-Session-Id": added.headers["x-session-id"]}
    client.cookies.clear()
    async with Browser(client, person.headers).listening() as member, Browser(client, guest).listening() as left:
        await member.begun()
        await left.begun()
        body = {"email": person.email, "password": "a long enough passphrase"}
        assert (await client.post("/api/v1/auth/login", json=body, headers=guest)).status_code == 200
        assert (await member.event())["itemCount"] == 1
        assert await left.event() == {"cartId": None, "version": 0, "itemCount": 0}


def test_nobody_listens_without_a_session(server: Server) -> None:
    with server.client() as client:
        problem(client.get("/api/v1/cart/events", timeout=10), 401, "not-authenticated")


async def test_there_are_only_so_many_streams(ctx: Context) -> None:
    streams = Streams(ctx, most=changes.STREAMS_OF_ONE + 1)
    mine, others = Actor("anonymous", session_id="a" * 20), Actor("anonymous", session_id="b" * 20)
    with contextlib.ExitStack() as stack:
        for _ in range(changes.STREAMS_OF_ONE):
            stack.enter_context(streams.joined(Stream(mine, None)))
        with pytest.raises(TooManyStreams), streams.joined(Stream(mine, None)):
            pass
        stack.enter_context(streams.joined(Stream(others, None)))
        with pytest.raises(TooManyStreams), streams.joined(Stream(others, None)):
            pass
    with streams.joined(Stream(mine, None)):
        pass


async def test_open_streams_cost_no_statements_and_a_change_one_for_all(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "HEARTBEAT_SECONDS", 0.1)
    streams = Streams(ctx, most=100)
    actors = [Actor("anonymous", session_id=f"session-{n:012d}") for n in range(20)]
    ended: list[list[bytes]] = []

    async def listen(actor: Actor) -> None:
        stream, sent = Stream(actor, None), list[bytes]()
        ended.append(sent)
        with streams.joined(stream):
            async for piece in streams.events(stream):
                sent.append(piece)

    open_streams = [asyncio.create_task(listen(actor)) for actor in actors]
    async with asyncio.timeout(5):
        while len(ended) < len(actors) or not all(ended):  # noqa: ASYNC110 - what the streams send is seen only so
            await asyncio.sleep(0.02)
    with watched_wire() as wire:
        await asyncio.sleep(0.5)
        assert wire.statements == []
        announce(ctx, [name_of(actor) for actor in actors])
        async with asyncio.timeout(5):
            while not wire.statements:  # noqa: ASYNC110 - what is sent is seen only so
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert len(wire.statements) == 1
    assert all(sent.count(b":\n\n") >= 3 for sent in ended)
    streams.close()
    await asyncio.wait_for(asyncio.gather(*open_streams), 5)
    with pytest.raises(TooManyStreams), streams.joined(Stream(actors[0], None)):
        pass


async def test_a_message_that_is_lost_is_made_up_for_when_redis_is_heard_again(
    ctx: Context, market: Market, product: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = Actor("customer", UUID(market.person().user_id))
    streams, stream = Streams(ctx, most=9), Stream(actor, None)
    ids = {"product_id": product["productId"], "variant_id": product["variants"][0]["variantId"]}
    with streams.joined(stream):
        events = streams.events(stream)
        assert await anext(events) == b"retry: 2000\nid: none:0\n\n"
        with monkeypatch.context() as patch:
            patch.setattr(changes, "CHANNEL", "somewhere else")
            await commands.add_item(ctx, actor, AddItem(**ids))
            await asyncio.sleep(0.1)
        await ctx.redis.client_kill_filter(_type="pubsub")
        assert b'"itemCount":1' in await asyncio.wait_for(anext(events), 5)


def test_a_stop_ends_open_streams(server: Server, product: dict[str, Any], tmp_path: Path) -> None:
    with another_process(server, tmp_path) as own, contextlib.ExitStack() as stack:
        client = stack.enter_context(own.client())
        assert client.post("/api/v1/cart/items", json=_item(product)).status_code == 201
        stream = client.stream("GET", "/api/v1/cart/events")
        assert next(stack.enter_context(stream).iter_lines()) == "retry: 2000"
        began = time.monotonic()
        own.stop()
        assert time.monotonic() - began < GRACE_SECONDS / 2
