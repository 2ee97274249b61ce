"""A checkout over a bad connection: three requests and 15 kB, and wherever the connection is cut, sending the order
again with its key buys it once.

The requests are written to a socket byte by byte, so that what goes over the wire is what is counted and cut.
"""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness.api import Server
from tests.harness.buying import ADDRESS, Market
from tests.harness.shop import Person

MOST_REQUESTS, MOST_BYTES = 3, 15_000
LINES = 5
Product = dict[str, Any]


class Wire:
    """A client that counts its requests and the bytes of both directions."""

    def __init__(self, server: Server, headers: dict[str, str]) -> None:
        address = urlsplit(server.url)
        self.place = (address.hostname or "", address.port or 0)
        self.headers = {"Host": address.netloc, "Accept": "application/json", "Accept-Encoding": "identity", **headers}
        self.requests = self.bytes = 0

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        """The bytes of a request."""
        content = b"" if body is None else json.dumps(body).encode()
        given = {**self.headers, **headers}
        if body is not None:
            given |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        return "\r\n".join(lines).encode() + content

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        with socket.create_connection(self.place, timeout=30) as opened:
            yield opened

    def ask(self, request: bytes) -> "Answer":
        """Send a whole request and read the whole answer."""
        with self.connection() as connection:
            connection.sendall(request)
            received = bytearray()
            while (answer := Answer.of(bytes(received))) is None:
                piece = connection.recv(65_536)
                assert piece, f"the server closed after {bytes(received)!r}"
                received += piece
        self.requests += 1
        self.bytes += len(request) + len(received)
        return answer

    def cut_while_sending(self, request: bytes, sent: int) -> None:
        """The connection breaks after so many bytes of the request."""
        with self.connection() as connection:
            connection.sendall(request[:sent])
            reset(connection)

    def cut_while_receiving(self, request: bytes, received: int) -> None:
        """The connection breaks after so many bytes of the answer."""
        with self.connection() as connection:
            connection.sendall(request)
            while received > 0:
                piece = connection.recv(received)
                assert piece, "the answer was shorter"
                received -= len(piece)
            reset(connection)


def reset(connection: socket.socket) -> None:
    """Close it at once, as a phone that loses its network does when it comes back."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, received: bytes) -> "Answer | None":
        """None while it is not whole."""
        head, separator, body = received.partition(b"\r\n\r\n")
        if not separator:
            return None
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if len(body) < int(headers["content-length"]):
            return None
        return cls(int(first.split()[1]), headers, body)


@pytest.fixture(scope="module")
def goods(market: Market, seller: Person) -> list[Product]:
    return [market.product(seller, stock=5_000, price=20.0) for _ in range(LINES)]


def item(product: Product) -> dict[str, Any]:
    return {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 1}


def order(market: Market, total: float) -> dict[str, Any]:
    body = {**market.order_body(), "email": "guest@example.com", "expectedTotal": total}
    return {name: value for name, value in body.items() if name != "items"}


class Guest:
    """A new guest with one thing in the cart, and the order of it."""

    def __init__(self, market: Market, server: Server, product: Product) -> None:
        self.market = market
        filling = Wire(server, {})
        added = filling.ask(filling.request("POST", "/api/v1/cart/items", item(product)))
        self.session = added.headers["x-session-id"]
        self.wire = Wire(server, {"X-Session-Id": self.session})
        total = json.loads(added.body)["total"]
        key = next(market.keys)
        self.order = self.wire.request("POST", "/api/v1/orders", order(market, total), **{"Idempotency-Key": key})

    def ask_again(self) -> Answer:
        """The same bytes, until the answer is final."""
        deadline = time.monotonic() + 30
        while (answer := self.wire.ask(self.order)).status == 503 or b"request-in-flight" in answer.body:
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)
        return answer

    def bought(self) -> list[tuple[str, int, int]]:
        """(status, units, captures) of each order."""
        return self.market.sql.execute(
            "select o.status, (select sum(quantity)::int from order_items i where i.order_id = o.order_id),"
            " (select count(*) from payments p where p.order_id = o.order_id and captured_amount = o.total)::int"
            " from orders o join checkouts c using (order_id) where c.session_id = %s",
            (self.session,),
        ).fetchall()

    def check(self) -> None:
        first, again = self.ask_again(), self.ask_again()
        assert (first.status, first.body) == (201, again.body), first
        assert again.headers["idempotent-replayed"] == "true"
        assert self.bought() == [("confirmed", 1, 1)]
        cart = self.wire.ask(self.wire.request("GET", "/api/v1/cart"))
        assert json.loads(cart.body)["items"] == []


def test_a_checkout_is_three_requests_and_fifteen_kilobytes(
    market: Market, server: Server, buyer: Person, goods: list[Product]
) -> None:
    """The cart as the buyer confirms it, the saved addresses, and the order."""
    kept = market.client.post("/api/v1/users/me/addresses", json=ADDRESS, headers=buyer.headers)
    assert kept.status_code == 201, kept.text
    for product in goods:
        assert market.client.post("/api/v1/cart/items", json=item(product), headers=buyer.headers).status_code == 201
    wire = Wire(server, buyer.headers)

    cart = json.loads(wire.ask(wire.request("GET", "/api/v1/cart")).body)
    (home,) = json.loads(wire.ask(wire.request("GET", "/api/v1/users/me/addresses")).body)["addresses"]
    body = {**order(market, cart["total"]), "shippingAddress": {"addressId": home["addressId"]}}
    placed = wire.ask(wire.request("POST", "/api/v1/orders", body, **{"Idempotency-Key": next(market.keys)}))

    print(f"a checkout of {LINES} lines is {wire.requests} requests and {wire.bytes:,} bytes")
    assert (placed.status, json.loads(placed.body)["total"]) == (201, cart["total"])
    assert wire.requests <= MOST_REQUESTS
    assert wire.bytes <= MOST_BYTES


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.8, 0.95, 1.0])
def test_a_request_that_is_cut_is_sent_again(
    market: Market, server: Server, goods: list[Product], share: float
) -> None:
    """In the request line, in the headers, in the body, and after all of it."""
    guest = Guest(market, server, goods[0])
    guest.wire.cut_while_sending(guest.order, int(share * len(guest.order)))
    guest.check()


@pytest.mark.parametrize("received", [1, 100, 500])
def test_an_answer_that_is_cut_is_asked_for_again(
    market: Market, server: Server, goods: list[Product], received: int
) -> None:
    """In the status line, in the headers, and in the body."""
    guest = Guest(market, server, goods[0])
    guest.wire.cut_while_receiving(guest.order, received)
    guest.check()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_cut_is_survived(market: Market, server: Server, goods: list[Product]) -> None:
    guest = Guest(market, server, goods[0])
    length, answer = len(guest.order), guest.ask_again()
    answered = len(answer.body) + sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
    for sent in range(0, length + 1, 17):
        guest = Guest(market, server, goods[0])
        guest.wire.cut_while_sending(guest.order, min(sent, length))
        guest.check()
    for received in range(1, answered, 61):
        guest = Guest(market, server, goods[0])
        guest.wire.cut_while_receiving(guest.order, received)
        guest.check()


def test_a_new_key_after_a_cut_does_not_buy_twice(market: Market, server: Server, goods: list[Product]) -> None:
    """A client that forgot its key: the cart was claimed, so the order is named instead of placed again."""
    guest = Guest(market, server, goods[0])
    guest.wire.cut_while_receiving(guest.order, 1)
    body = order(market, 0.01)
    del body["expectedTotal"]
    fresh = guest.wire.request("POST", "/api/v1/orders", body, **{"Idempotency-Key": next(market.keys)})
    answer = guest.wire.ask(fresh)
    assert (answer.status, json.loads(answer.body)["type"]) == (409, "/problems/cart-ordered")
    assert guest.bought() == [("confirmed", 1, 1)]
