"""What variants have cost, and the lowest price of the 30 days before the last reduction."""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from api.catalog.commands import change_product, keeping
from api.catalog.commands.statements import KEEP_VERSIONS
from api.catalog.schemas import ProductPatch
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.operations.invariants.run import violations
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person
from tests.integration.api.catalog.test_saves import BIRCH, OAK, Saves

WINDOW = 30 * 24
HISTORIES = 12


@pytest.fixture(scope="module", autouse=True)
def moved_by_hand(market: Market) -> Iterator[None]:
    """The journal may be changed, because time does not pass for a test."""
    market.sql.execute("alter table price_changes disable trigger user")
    yield
    market.sql.execute("alter table price_changes enable trigger user")


def days_pass(market: Market, product_id: str, hours: int) -> None:
    """All that the product has cost is so much longer ago."""
    market.sql.execute(
        "update price_changes set at = at - make_interval(hours => %s) where variant_id in"
        " (select variant_id from product_variants where product_id = %s)",
        (hours, product_id),
    )


def lowest(saves: Saves) -> list[float | None]:
    """Of each variant, as its product's page says."""
    return [one["lowestPrice30d"] for one in saves.variants()]


def test_the_lowest_price_is_that_of_the_30_days_before_the_last_reduction(market: Market, seller: Person) -> None:
    saves = Saves(market, seller, [{**OAK, "stock": 1}], price=80.0)
    assert lowest(saves) == [None]
    saves.patch(price=100.0, listPrice=120.0)
    assert lowest(saves) == [None], "it was raised"
    saves.patch(price=90.0)
    assert lowest(saves) == [80.0]
    page = market.detail(saves.product_id)
    assert (page["price"], page["listPrice"], page["discount"], page["lowestPrice30d"]) == (90.0, 120.0, 25, 80.0)
    variants = market.client.get(f"{saves.path}/variants").json()["variants"]
    assert [one["lowestPrice30d"] for one in variants] == [80.0]
    line = {"productId": saves.product_id, "variantId": variants[0]["variantId"], "quantity": 1}
    cart = market.client.post("/api/v1/cart/items", json=line, headers=guest_headers("of a lowest price")).json()
    assert [(one["price"], one["lowestPrice30d"]) for one in cart["items"]] == [(90.0, 80.0)]

    saves.patch(price=110.0)
    assert lowest(saves) == [80.0], "a rise is no reduction"
    days_pass(market, saves.product_id, WINDOW)
    saves.patch(price=70.0)
    assert lowest(saves) == [110.0], "what it cost before was another price all the time"


def test_a_price_that_is_inherited_or_own_has_one_history(market: Market, seller: Person) -> None:
    saves = Saves(market, seller, [{**OAK}, {**BIRCH, "price": 50.0}], price=100.0)
    saves.patch(price=60.0)
    assert lowest(saves) == [100.0, None]
    saves.patch([{**BIRCH, "price": None}])
    assert lowest(saves) == [100.0, None], "50 became 60"
    saves.patch([{**OAK, "price": 55.0}])
    assert lowest(saves) == [60.0, None]
    page = market.detail(saves.product_id)
    assert (page["price"], page["lowestPrice30d"]) == (55.0, 60.0), "that of the variant that costs what the page says"
    count = "select count(*) from price_changes c join product_variants v using (variant_id) where v.product_id = %s"
    assert market.scalar(count, (saves.product_id,)) == 5
    saves.patch(title=saves.body["title"] + " again")
    assert market.scalar(count, (saves.product_id,)) == 5, "no price was changed"


@dataclass
class Oracle:
    """Of one variant: what it cost since which hour, and the lowest price, found by asking what it cost at each moment
    that counts."""

    since: list[tuple[int, Decimal]] = field(default_factory=list)
    lowest: Decimal | None = None

    def at(self, hour: int) -> Decimal | None:
        return next((price for start, price in reversed(self.since) if start <= hour), None)

    def cost(self, hour: int, price: Decimal) -> None:
        before = self.since[-1][1] if self.since else None
        if price == before:
            return
        if before is not None and price < before:
            moments = [hour - WINDOW, *(start for start, _ in self.since if hour - WINDOW < start)]
            self.lowest = min(cost for moment in moments if (cost := self.at(moment)) is not None)
        self.since.append((hour, price))


@pytest.fixture(scope="module")
async def ctx(server: Server) -> AsyncIterator[Context]:
    async with open_context(Settings.model_validate({**server.env, "SOUK_PROFILE": "test"})) as context:
        yield context


async def live(ctx: Context, market: Market, seller: Person, seed: int) -> None:
    """A random history of a product of three variants, against the oracle after each step."""
    chance = random.Random(seed)
    prices = [Decimal(n) for n in (70, 80, 90, 100)]
    woods = ("oak", "birch", "elm")
    saves = Saves(market, seller, [{"attributes": {"wood": wood}} for wood in woods], price=100.0)
    variants = [UUID(one["variantId"]) for one in saves.variants()]
    actor, product = Actor("seller", UUID(seller.user_id)), UUID(saves.product_id)
    own: dict[UUID, Decimal | None] = dict.fromkeys(variants)
    base, hour = Decimal(100), 0
    oracles = {variant: Oracle([(0, base)]) for variant in variants}
    for _ in range(14):
        # An hour at least, so that a moment in between is on neither side of the window.
        passed = chance.choice([1, 5 * 24, 12 * 24, 29 * 24, 30 * 24, 31 * 24])
        hour += passed
        days_pass(market, saves.product_id, passed)
        sent: dict[str, Any] = {}
        if chance.random() < 0.6:
            sent["price"] = base = chance.choice(prices)
        named = chance.sample(variants, chance.randint(0 if sent else 1, 2))
        for variant in named:
            own[variant] = chance.choice([*prices, None])
        sent["variants"] = [
            {"variantId": str(one), "price": None if own[one] is None else float(own[one] or 0)} for one in named
        ]
        await change_product(ctx, actor, product, ProductPatch.model_validate(sent), None)
        for variant, oracle in oracles.items():
            oracle.cost(hour, own[variant] or base)
        rows = market.sql.execute(
            "select variant_id, lowest_price_30d from product_variants where product_id = %s", (saves.product_id,)
        ).fetchall()
        assert {row[0]: row[1] for row in rows} == {one: oracle.lowest for one, oracle in oracles.items()}, (seed, sent)


async def live_all(ctx: Context, market: Market, seller: Person) -> None:
    for seed in range(HISTORIES):
        await live(ctx, market, seller, seed)


async def test_random_histories_have_the_lowest_price_of_the_oracle(
    ctx: Context, market: Market, seller: Person, database_url: str
) -> None:
    await live_all(ctx, market, seller)
    assert violations(database_url) == []


WITHOUT: dict[str, Callable[[str], str]] = {
    "rises count": lambda sql: sql.replace(" AND p.price < p.before", ""),
    "only changes within the window count": lambda sql: sql.replace(
        "s.at <= p.at - interval '30 days'), '-infinity'", "false), p.at - interval '30 days'"
    ),
    "all that was ever is within the window": lambda sql: sql.replace("s.at <= p.at - interval '30 days'", "false"),
    "inherited prices have no history": lambda sql: sql.replace(
        "AND v.price IS DISTINCT FROM l.price", "AND v.price IS DISTINCT FROM l.price AND v.own_price IS NOT NULL"
    ),
}


@pytest.mark.parametrize("rule", WITHOUT)
async def test_without_one_of_its_rules_a_history_differs(
    ctx: Context, market: Market, seller: Person, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    right = KEEP_VERSIONS.text
    wrong = WITHOUT[rule](right)
    assert wrong != right
    monkeypatch.setattr(keeping, "KEEP_VERSIONS", text(wrong))
    with pytest.raises(AssertionError):
        await live_all(ctx, market, seller)
    # The invariants would see it too.
    market.sql.execute("delete from price_changes")
    market.sql.execute("update product_variants set lowest_price_30d = null")
