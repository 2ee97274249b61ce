"""Digital goods that are files: kept privately, downloaded by signed links that expire, so often as was bought."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.kernel.context import Context
from api.orders.digital.commands import deliver_due
from api.orders.downloads.commands import ENDLESS, FILES, delete_orphans
from api.orders.downloads.links import Link, code_of
from tests.harness.buying import Market
from tests.harness.digital import Game
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import mails_to
from tests.harness.parcels import order_of
from tests.harness.shop import Person, problem

BOOK = b"%PDF-1.7 a book\x00\xff" * 1_000


class Book(Game):
    """A digital product with a file."""

    def __init__(self, market: Market, seller: Person) -> None:
        super().__init__(market, seller, 0)
        assert self.send(BOOK).status_code == 200

    @property
    def file(self) -> str:
        return f"{self.path}/variants/{self.variant}/file"

    def send(self, content: bytes, name: str = "Wörter & more.pdf", seller: Person | None = None) -> httpx.Response:
        headers = (seller or self.seller).headers
        return self.market.client.put(self.file, content=content, params={"name": name}, headers=headers)


def bought(market: Market, buyer: Person, order: str) -> dict[str, Any]:
    """The download of the order's only line."""
    answer = market.client.get(f"/api/v1/orders/{order}/digital-goods", headers=buyer.headers)
    (line,) = answer.json()["lines"]
    assert line["keys"] == []
    download: dict[str, Any] = line["download"]
    return download


async def delivered(book: Book, buyer: Person, ctx: Context, units: int = 1) -> str:
    order = book.order(buyer, units)
    await deliver_due(ctx)
    return order


def test_a_variant_is_a_file_or_keys(market: Market, seller: Person) -> None:
    book, game = Book(market, seller), Game(market, seller, 1)

    shown = market.client.get(book.file, headers=seller.headers).json()
    assert (shown["name"], shown["bytes"]) == ("Wörter & more.pdf", len(BOOK))
    assert market.client.get(book.path).json()["variants"][0]["stock"] == ENDLESS
    problem(book.add(["X"]), 409, "has-digital-file")
    of_game = f"{game.path}/variants/{game.variant}/file"
    problem(market.client.get(of_game, headers=seller.headers), 404, "no-digital-file")

    def put(path: str) -> httpx.Response:
        return market.client.put(path, content=b"x", params={"name": "x"}, headers=seller.headers)

    problem(put(of_game), 409, "has-licence-keys")
    problem(book.send(b""), 409, "empty-file")
    problem(book.send(b"x" * (32 * 1024 * 1024 + 1)), 413, "body-too-large")
    problem(book.send(b"x", name=""), 422, "validation-failed")
    problem(book.send(b"x", seller=market.person("seller")), 404, "variant-not-found")
    problem(book.send(b"x", seller=market.person()), 403, "forbidden")
    lamp = market.product(seller, title=f"Lamp {uuid4()}")
    path = f"/api/v1/products/{lamp['productId']}/variants/{lamp['variants'][0]['variantId']}/file"
    problem(put(path), 409, "not-digital")
    assert_invariants(market.database_url)


async def test_what_was_bought_is_downloaded_by_its_link(market: Market, seller: Person, ctx: Context) -> None:
    book, buyer = Book(market, seller), market.person()
    waiting = book.order(buyer, 2)
    assert market.client.get(f"/api/v1/orders/{waiting}/digital-goods", headers=buyer.headers).json()["lines"] == []
    await deliver_due(ctx)

    found = bought(market, buyer, waiting)
    assert (found["name"], found["bytes"], found["left"]) == ("Wörter & more.pdf", len(BOOK), 20)
    file = market.client.get(found["url"])
    assert (file.status_code, file.content) == (200, BOOK)
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''W%C3%B6rter%20%26%20more.pdf"
    assert (file.headers["content-type"], file.headers["cache-control"]) == (
        "application/octet-stream",
        "private, no-store",
    )
    assert bought(market, buyer, waiting)["left"] == 19
    assert market.client.get(book.path).json()["variants"][0]["stock"] == ENDLESS
    code = found["url"].rpartition("/")[2]
    events = market.sql.execute("select e::text from outbox_events e").fetchall()
    for text in (*(mail.text for mail in await mails_to(ctx, buyer.email)), *(event for (event,) in events)):
        assert code not in text
    for other in (market.person(), seller, market.admin()):
        answer = market.client.get(f"/api/v1/orders/{waiting}/digital-goods", headers=other.headers)
        problem(answer, 404, "order-not-found")
    assert_invariants(market.database_url)


async def test_a_link_that_is_changed_foreign_or_late_opens_nothing(
    market: Market, seller: Person, buyer: Person, ctx: Context
) -> None:
    order = await delivered(Book(market, seller), buyer, ctx)
    found = bought(market, buyer, order)
    code = found["url"].rpartition("/")[2]
    line = UUID(order_of(market, buyer, order)["items"][0]["orderItemId"])
    now = datetime.now(UTC).replace(microsecond=0)
    foreign = replace(ctx.keys, secret=b"another shop" * 4)

    for wrong in (
        code[:-2] + ("A" if code[-2] != "A" else "B") + code[-1],
        code[:30] + ("A" if code[30] != "A" else "B") + code[31:],
        code_of(foreign, Link(line, now + timedelta(hours=1))),
        code_of(ctx.keys, Link(uuid4(), now + timedelta(hours=1))),
        "x",
        "é" * 54,
    ):
        problem(market.client.get(f"/api/v1/downloads/{wrong}"), 404, "download-link-not-valid")
    late = code_of(ctx.keys, Link(line, now - timedelta(seconds=1)))
    problem(market.client.get(f"/api/v1/downloads/{late}"), 410, "download-link-expired")
    assert bought(market, buyer, order)["left"] == 10
    assert market.client.get(found["url"]).status_code == 200


async def test_a_crowd_downloads_as_often_as_was_bought(
    market: Market, seller: Person, buyer: Person, ctx: Context
) -> None:
    order = await delivered(Book(market, seller), buyer, ctx)
    urls = [bought(market, buyer, order)["url"] for _ in range(3)]

    with ThreadPoolExecutor(15) as threads:
        answers = list(threads.map(lambda n: market.client.get(urls[n % 3]), range(15)))

    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [410] * 5
    assert {answer.json()["type"] for answer in answers if answer.status_code == 410} == {"/problems/downloads-used-up"}
    assert bought(market, buyer, order)["left"] == 0


@pytest.mark.parametrize("why", ["returned", "late"])
async def test_the_right_ends(market: Market, seller: Person, buyer: Person, ctx: Context, why: str) -> None:
    order = await delivered(Book(market, seller), buyer, ctx)
    url = bought(market, buyer, order)["url"]
    line = order_of(market, buyer, order)["items"][0]["orderItemId"]
    if why == "returned":
        back = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": "not_as_described"}
        assert market.post(buyer, f"{order}/return", back).status_code == 200
    else:
        market.sql.execute("update download_rights set ends_at = now() where order_item_id = %s", (line,))

    problem(market.client.get(url), 410, "download-over")
    assert bought(market, buyer, order) is None


async def test_a_new_file_is_for_everybody_and_the_old_one_goes(
    market: Market, seller: Person, buyer: Person, ctx: Context
) -> None:
    book = Book(market, seller)
    order = await delivered(book, buyer, ctx)
    assert book.send(b"second edition", name="book.pdf").status_code == 200

    found = bought(market, buyer, order)
    assert (found["name"], market.client.get(found["url"]).content) == ("book.pdf", b"second edition")
    assert market.client.get(book.path).json()["variants"][0]["stock"] == ENDLESS
    key = "select object_key from digital_files where variant_id = %s"
    assert str(market.scalar(key, (book.variant,))).startswith(FILES)
    assert_invariants(market.database_url)


async def test_what_an_upload_left_is_deleted(ctx: Context) -> None:
    from api.media.store.opening import store_of

    left = f"{FILES}{uuid4().hex}/{uuid4().hex}"
    store_of(ctx).put(left, b"x")
    assert await delete_orphans(ctx) == 0  # it may be an upload that is going on

    soon = replace(ctx, settings=ctx.settings.model_copy(update={"media_orphan_seconds": 0}))
    assert await delete_orphans(soon) == 1
    assert store_of(ctx).get(left) is None
