"""What a cart shows of a variant is read as one text, and made into an offer once for each text."""

import random
from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import select, true

from api.carts import commands, queries
from api.carts.queries import cart_of
from api.carts.schemas import AddItem
from api.catalog.queries.offers import OFFER, OFFER_TEXT, OFFERED, OFFERED_LEVELS, Offer, offer_of
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.rows import as_models, values_of
from api.kernel.settings import Settings
from tests.harness.shop import Shop

ALPHABET = ['"', '""', "\\", "\\\\", ",", "(", ")", "{", "}", " ", "\n", "\t", "'", "a", "é", "鍋"]


@pytest.fixture
async def ctx(database_url: str, redis_url: str) -> AsyncIterator[Context]:
    settings = Settings.model_validate({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    async with open_context(settings) as context:
        yield context


def test_every_text_comes_out_of_a_record_as_it_went_in(database_url: str) -> None:
    """Control: cut at its commas, hardly any record has its values."""
    draw = random.Random(1)
    rows = [
        [draw.choice([None, "", "".join(draw.choices(ALPHABET, k=draw.randint(1, 6)))]) for _ in range(5)]
        for _ in range(500)
    ]
    with psycopg.connect(database_url) as connection:
        records = [
            connection.execute("select row(%s::text, %s::text, %s::text, %s::text, %s::text)::text", row).fetchone()
            for row in rows
        ]
    texts = [str(record[0]) for record in records if record is not None]

    assert [values_of(text) for text in texts] == rows
    assert sum(text[1:-1].split(",") == row for text, row in zip(texts, rows, strict=True)) < 50


async def test_an_offer_of_a_text_is_that_of_the_columns(ctx: Context, shop: Shop) -> None:
    seller = shop.person("seller")
    plain = shop.product(seller, price=12.5, title='A "plain", (round) \\ thing', brand="Müller, Sons")
    shop.product(seller, price=8, listPrice=9.99, stock=0)
    owed = shop.product(seller, price=7)
    shop.sql.execute(
        "update warehouse_stock set backorder_limit = 3 where variant_id = %s", (owed["variants"][0]["variantId"],)
    )
    shop.sql.execute("update products set deleted_at = now() where product_id = %s", (plain["productId"],))
    statement = select(*OFFER, OFFER_TEXT).select_from(OFFERED).join(OFFERED_LEVELS, true())

    async with ctx.db.read() as tx:
        result = await tx.execute(statement)
    offers = as_models(Offer, result.columns[:-1], [row[:-1] for row in result.rows])

    assert [asdict(offer_of(row[-1])) for row in result.rows] == [asdict(offer) for offer in offers]
    found = {offer.title: offer for offer in offers}[plain["title"]]
    assert (found.brand, found.on_sale, found.warehouses is None) == ("Müller, Sons", False, False)
    assert {offer.warehouses is None for offer in offers} == {offer.rooms is None for offer in offers} == {True, False}
    assert offer_of(result.rows[0][-1]) is offer_of(result.rows[0][-1])


@pytest.mark.parametrize("by_variant", [False, True])
async def test_a_cart_shows_every_change_of_what_is_kept(
    ctx: Context, shop: Shop, monkeypatch: pytest.MonkeyPatch, *, by_variant: bool
) -> None:
    """Control: kept by its variant, an offer stays as it was."""
    if by_variant:
        texts: dict[Any, str] = {}

        @lru_cache
        def first_seen(text: str) -> Offer:
            return offer_of(texts.setdefault(values_of(text)[1], text))

        monkeypatch.setattr(queries, "offer_of", first_seen)
    product = shop.product(shop.person("seller"), price=10)
    variant = UUID(product["variants"][0]["variantId"])
    guest = Actor(kind="anonymous", session_id=f"guest-{uuid4().hex}")
    item = AddItem(product_id=UUID(product["productId"]), variant_id=variant)

    _, cart = await commands.add_item(ctx, guest, item)
    before = cart.lines[0].offer
    shop.sql.execute("update product_variants set price = 11 where variant_id = %s", (variant,))
    shop.sql.execute("update products set title = 'New' where product_id = %s", (product["productId"],))
    async with ctx.db.read() as tx:
        read = await cart_of(tx, guest)
    assert read is not None
    after = read.lines[0].offer

    assert [str(before.price), before.title] == ["10.00", product["title"]]
    assert ([str(after.price), after.title] == ["11.00", "New"]) is not by_variant
