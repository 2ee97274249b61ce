"""Random products of several sellers, their changes, and decisions about matches: what is one article, what each offer
is and what a page says of the others equal a plain computation over what was asked for.

The rule: products whose lowest GTIN is the same are one article, a product without one is its own, and confirmed
matches join what the two products were then.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count, pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import func, select, text

from api.catalog.commands import change_product, create_product, delete_product, keeping, replace_product
from api.catalog.commands.statements import KEEP_VERSIONS
from api.catalog.matches import commands as matches
from api.catalog.matches.errors import MatchDecided
from api.catalog.matches.joining import joined
from api.catalog.matches.queries import Pair
from api.catalog.matches.schemas import MatchDecisionIn
from api.catalog.offers.events import PARTED
from api.catalog.offers.queries import offers_of
from api.catalog.purchase import Occasion
from api.catalog.queries.products import product_of
from api.catalog.schemas import ProductIn, ProductPatch
from api.kernel import clock
from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.context import Context, open_context
from api.kernel.gtin import check_digit
from api.kernel.languages import DEFAULT, Languages
from api.kernel.settings import Settings
from api.operations.invariants.run import violations

STEPS = 45
SIZES = ("S", "M")
_NUMBERS = count(1)


@dataclass
class Variant:
    """A living variant; `price` None: the product's."""

    gtin: str | None
    price: Decimal | None
    stock: int


@dataclass
class Product:
    product_id: UUID
    seller: Actor
    price: Decimal
    condition: str
    status: str = "active"
    deleted: bool = False
    variants: dict[UUID, Variant] = field(default_factory=dict)

    @property
    def lives(self) -> bool:
        return self.status == "active" and not self.deleted

    @property
    def article(self) -> str:
        known = [one.gtin for one in self.variants.values() if one.gtin and not one.gtin.startswith("02")]
        return min(known, default=str(self.product_id))

    def cost(self, variant: Variant) -> Decimal:
        return variant.price or self.price

    def offer(self) -> tuple[str, str, float, str]:
        """Product, variant, price and availability of what a buyer gets first."""
        rank = {one: (v.stock == 0, self.cost(v), one) for one, v in self.variants.items()}
        first = min(rank, key=lambda one: rank[one])
        words = "in_stock" if self.variants[first].stock else "out_of_stock"
        return str(self.product_id), str(first), float(self.cost(self.variants[first])), words

    @property
    def in_stock(self) -> list[Decimal]:
        """The prices of what is."""
        return [self.cost(one) for one in self.variants.values() if one.stock]


class Shop:
    """One run: what was asked of the shop, and the shop."""

    def __init__(self, ctx: Context, sql: psycopg.Connection[Any], sellers: list[Actor], seed: int) -> None:
        self.ctx, self.sql, self.sellers = ctx, sql, sellers
        self.draw = random.Random(seed)
        # Of this run alone; the last two are of the kind that companies give out for themselves.
        run = next(_NUMBERS)
        digits = [f"400{run:06d}{number:03d}" for number in range(4)] + [f"2{run:08d}{n:03d}" for n in range(2)]
        self.gtins = [f"{one}{check_digit(one)}" for one in digits]
        self.admin = Actor("admin", sellers[0].user_id)
        self.products: list[Product] = []
        self.links: dict[Pair, tuple[str, str] | None] = {}

    async def run(self, steps: int) -> None:
        acts: list[Callable[[], Any]] = [
            self.create, self.create, self.create, self.change, self.change, self.change_variants, self.change_variants,
            self.shrink, self.delete, self.decide, self.decide, self.decide, self.undo,
        ]  # fmt: skip
        for step in range(steps):
            act = self.create if step < 4 else self.draw.choice(acts)
            await act()
            if step % 3 == 0 or step == steps - 1:
                await self.compare((step, act.__name__))

    async def create(self) -> None:
        seller = self.draw.choice(self.sellers)
        made = Product(UUID(int=0), seller, self._price(), self.draw.choice(["new", "new", "used_good"]))
        variants = [
            {"attributes": {"size": size}, **self._facts(made)} for size in SIZES[: self.draw.choice([1, 1, 2])]
        ]
        if variants[0]["gtin"] == variants[-1]["gtin"]:
            variants = [{**one, "gtin": None} for one in variants[:-1]] + variants[-1:]
        body = {
            "title": f"Kettle {uuid4().hex}",
            "category": "/Home",
            "price": made.price,
            "condition": made.condition,
            "variants": variants,
        }
        made.product_id = await create_product(self.ctx, seller, ProductIn.model_validate(body))
        rows = self.sql.execute(
            "select variant_id, attributes ->> 'size' from product_variants where product_id = %s", (made.product_id,)
        )
        sizes = {size: one for one, size in rows.fetchall()}
        for one in variants:
            made.variants[sizes[one["attributes"]["size"]]] = Variant(
                one["gtin"] and one["gtin"].zfill(14), one["price"], one["stock"]
            )
        self.products.append(made)

    async def change(self) -> None:
        if product := self._one():
            fields: dict[str, Any] = self.draw.choice(
                [{"price": self._price()}, {"status": self.draw.choice(["draft", "active"])},
                 {"condition": self.draw.choice(["new", "refurbished"])}]
            )  # fmt: skip
            await change_product(
                self.ctx, product.seller, product.product_id, ProductPatch.model_validate(fields), None
            )
            for name, value in fields.items():
                setattr(product, name, value)

    async def change_variants(self) -> None:
        if product := self._one():
            variant_id = self.draw.choice(list(product.variants))
            facts = self._facts(product)
            name = self.draw.choice(["gtin", "gtin", "price", "stock"])
            body = {"variants": [{"variantId": str(variant_id), name: facts[name]}]}
            await change_product(self.ctx, product.seller, product.product_id, ProductPatch.model_validate(body), None)
            value = facts[name]
            setattr(product.variants[variant_id], name, value.zfill(14) if name == "gtin" and value else value)

    async def shrink(self) -> None:
        """One variant stays."""
        if product := self._one():
            kept = self.draw.choice(list(product.variants))
            facts = product.variants[kept]
            body = {
                "title": f"Kettle {uuid4().hex}", "category": "/Home", "price": product.price,
                "condition": product.condition, "status": product.status,
                "variants": [{"variantId": str(kept), "gtin": facts.gtin, "price": facts.price}],
            }  # fmt: skip
            await replace_product(self.ctx, product.seller, product.product_id, ProductIn.model_validate(body), None)
            product.variants = {kept: facts}

    async def delete(self) -> None:
        if (product := self._one()) and self.draw.random() < 0.5:
            await delete_product(self.ctx, product.seller, product.product_id, None)
            product.deleted, product.variants = True, {}

    async def decide(self) -> None:
        living = [one for one in self.products if not one.deleted]
        if len(living) > 1:
            one, other = self.draw.sample(living, 2)
            pair = Pair(one.product_id, other.product_id)
            self.sql.execute(
                "insert into offer_matches (product_id, other_product_id) values (%s, %s) on conflict do nothing", pair
            )
            wanted = self.draw.choice(["confirmed", "confirmed", "dismissed"])
            with suppress(MatchDecided):
                await matches.decide(self.ctx, self.admin, pair, MatchDecisionIn.model_validate({"decision": wanted}))
                if self.links.get(pair) is None:
                    self.links[pair] = (one.article, other.article) if wanted == "confirmed" else None

    async def undo(self) -> None:
        if self.links:
            pair = self.draw.choice(list(self.links))
            await matches.undo(self.ctx, self.admin, pair)
            del self.links[pair]

    async def compare(self, where: tuple[int, str]) -> None:
        one_with = self._joined()
        occasion = Occasion.of(self.ctx.settings, clock.now())
        async with self.ctx.db.read() as tx:
            for product in self.products:
                if not product.lives:
                    continue
                same = [o for o in self.products if o.lives and o.article in one_with(product.article)]
                found = await offers_of(tx, ANONYMOUS, product.product_id, occasion)
                bodies = [offer.body for offer in found]
                told = sorted((str(b.product_id), str(b.variant_id), float(b.price), b.availability) for b in bodies)
                assert told == sorted(one.offer() for one in same), where
                had = [one.condition for one in same if one.in_stock]
                featured = [body.condition for body in bodies if body.featured]
                assert len(featured) == bool(had), where
                assert set(featured) <= ({"new"} if "new" in had else set(had)), where
                others = [min(one.in_stock) for one in same if one.in_stock and one is not product]
                _, page = await product_of(
                    tx,
                    ANONYMOUS,
                    product.product_id,
                    occasion,
                    languages=Languages.of(DEFAULT),
                    language=None,
                    edited=False,
                )
                assert (page.other_offers.count, page.other_offers.from_) == (
                    len(others), min(others, default=None)
                ), where  # fmt: skip

    def _joined(self) -> Callable[[str], set[str]]:
        """What is one with an article, by a search through all links."""
        links = [link for link in self.links.values() if link]

        def one_with(article: str) -> set[str]:
            seen, queue = {article}, [article]
            while queue:
                here = queue.pop()
                for link in links:
                    if here in link:
                        queue += [one for one in link if one not in seen]
                        seen |= {*link}
            return seen

        return one_with

    def _one(self) -> Product | None:
        return self.draw.choice([one for one in self.products if not one.deleted] or [None])

    def _price(self) -> Decimal:
        return Decimal(self.draw.choice([10, 11, 12, 15]))

    def _facts(self, product: Product) -> dict[str, Any]:
        """A number that the seller has not given to another variant, or none; perhaps a price; units, or none."""
        taken = {v.gtin for one in self.products if one.seller == product.seller for v in one.variants.values()}
        free = [one for one in self.gtins if one.zfill(14) not in taken]
        return {
            "gtin": self.draw.choice([*free, None]),
            "price": self.draw.choice([None, None, self._price()]),
            "stock": self.draw.choice([0, 2, 3]),
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    database_url: str, redis_url: str
) -> AsyncIterator[tuple[Context, psycopg.Connection[Any], list[Actor]]]:
    settings = Settings.model_validate({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    sellers = [Actor("seller", uuid4()) for _ in range(4)]
    async with open_context(settings) as ctx:
        with psycopg.connect(database_url, autocommit=True) as sql:
            for seller in sellers:
                sql.execute(
                    "insert into users (user_id, email, password_hash, name, user_type)"
                    " values (%s, %s, 'x', 'Somebody', 'seller')",
                    (seller.user_id, f"{uuid4()}@articles.example"),
                )
                sql.execute(
                    "insert into sellers (seller_id, name, country, verified) values (%s, 'Store', 'US', true)",
                    (seller.user_id,),
                )
            sql.execute(
                "insert into categories (category_id, name, path, level) values (%s, 'Home', '/Home', 0)", (uuid4(),)
            )
            yield ctx, sql, sellers


Opened = tuple[Context, psycopg.Connection[Any], list[Actor]]


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 23))])
async def test_random_articles_are_what_was_asked_for(opened: Opened, database_url: str, seed: int) -> None:
    await Shop(*opened, seed).run(STEPS)

    assert violations(database_url) == []


async def confirm_at_once(opened: Opened, patch: pytest.MonkeyPatch, patience: float) -> None:
    """Two administrators confirm both ends of a chain whose middle is confirmed: each has decided before either joins,
    if that happens within so many seconds."""
    shop = Shop(*opened, 0)
    shop.gtins = []
    for _ in range(4):
        await shop.create()
    first, middle, last = (Pair(*pair) for pair in pairwise([one.product_id for one in shop.products]))
    for pair in (first, middle, last):
        shop.sql.execute("insert into offer_matches (product_id, other_product_id) values (%s, %s)", pair)
    wanted = MatchDecisionIn.model_validate({"decision": "confirmed"})
    await matches.decide(shop.ctx, shop.admin, middle, wanted)
    join, both, decided = matches._join, asyncio.Event(), count(1)  # noqa: SLF001 - the moment is inside

    async def later(*asked: Any) -> None:
        if next(decided) == 2:
            both.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(both.wait(), patience)
        await join(*asked)

    patch.setattr(matches, "_join", later)
    await asyncio.gather(*(matches.decide(shop.ctx, shop.admin, pair, wanted) for pair in (first, last)))
    shop.links = {pair: (str(pair.product_id), str(pair.other_product_id)) for pair in (first, middle, last)}
    await shop.compare((0, "at once"))


async def test_links_that_are_confirmed_at_once_join_everything(
    opened: Opened, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await confirm_at_once(opened, monkeypatch, 0.5)

    assert violations(database_url) == []


async def test_without_the_lock_they_do_not(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matches, "_LOCK", select(func.now()))

    with pytest.raises((AssertionError, psycopg.errors.UniqueViolation)):
        await confirm_at_once(opened, monkeypatch, 30)


def kept_otherwise(old: str, new: str) -> Callable[[pytest.MonkeyPatch], None]:
    """The statement that says what article a product is, with a part replaced."""

    def alter(patch: pytest.MonkeyPatch) -> None:
        assert old in KEEP_VERSIONS.text
        patch.setattr(keeping, "KEEP_VERSIONS", text(KEEP_VERSIONS.text.replace(old, new)))

    return alter


def only_the_first_link(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(matches, "joined", lambda pairs: joined(pairs[:1]))


def joined_for_ever(patch: pytest.MonkeyPatch) -> None:
    join = matches._join  # noqa: SLF001 - the rule is inside

    async def only_join(tx: Any, event: str, *changed: UUID | None) -> None:
        if event != PARTED:
            await join(tx, event, *changed)

    patch.setattr(matches, "_join", only_join)


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "numbers of companies' own": kept_otherwise(" AND g.gtin !~ '^.(02|04|2)|^000000[02]'", ""),
    "the highest number": kept_otherwise("min(g.gtin)", "max(g.gtin)"),
    "removed variants": kept_otherwise(" AND g.removed_at IS NULL", ""),
    "only the first link": only_the_first_link,
    "joined for ever": joined_for_ever,
}


async def run_several(opened: Opened) -> None:
    for seed in range(101, 111):
        await Shop(*opened, seed).run(STEPS)


@pytest.mark.parametrize("rule", MUTANTS)
async def test_a_rule_that_is_changed_is_seen(opened: Opened, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    MUTANTS[rule](monkeypatch)

    with pytest.raises(AssertionError):
        await run_several(opened)
