"""Which source answers: the recommender, its last answer, best sellers, nothing; and never an error."""

import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from redis.exceptions import ConnectionError as RedisAway

from api.catalog.queries.listing import Card
from api.kernel.actor import Actor
from api.kernel.cache import PageCache
from api.kernel.languages import Reader
from api.kernel.outbound import Unreachable
from api.kernel.pool import NoConnection
from api.recommendations import recommender as module
from api.recommendations.recommender import Recommender
from api.recommendations.schemas import Recommendations

A, B, C, D = (UUID(int=n) for n in range(1, 5))
READER = Reader("de", "en")
SHOPPER = Actor("customer", UUID(int=99))


class World:
    """The recommender's neighbours: `answer` of the serving process, `on_sale` of the catalog, `sold` of the shop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer: object = None
        self.status = 200
        self.recent: list[str] = []
        self.on_sale = {A, B, C, D}
        self.sold: list[tuple[UUID, int]] = []
        self.sold_in_category: list[tuple[UUID, int]] = []
        self.kept: dict[str, str] = {}
        self.redis_away = self.database_away = False
        self.asked: list[dict[str, object]] = []
        monkeypatch.setattr(module, "recent_products", self._recent)
        monkeypatch.setattr(module, "cards_of", self._cards)
        monkeypatch.setattr(module, "units_sold", self._units_sold)
        monkeypatch.setattr(module, "units_sold_in_category_of", self._units_sold_in_category_of)
        settings = SimpleNamespace(serving_timeout_seconds=1.0, serving_url="http://serving")
        context: Any = SimpleNamespace(settings=settings, http=None, redis=self, db=self)  # Any: what it reads of one
        self.recommender = Recommender(context, PageCache("redis://127.0.0.1:1/0", "test", 0, 5.0))
        monkeypatch.setattr(self.recommender, "_client", self)

    async def for_you(self, limit: int = 3) -> Recommendations:
        return await self.recommender.for_you(SHOPPER, limit, READER)

    async def post(self, path: str, body: dict[str, object]) -> object:
        self.asked.append({"path": path, **body})
        if self.answer is None:
            raise Unreachable("serving")
        return SimpleNamespace(status=self.status, body=self.answer)

    async def get(self, key: str) -> str | None:
        if self.redis_away:
            raise RedisAway
        return self.kept.get(key)

    async def set(self, key: str, value: str, ex: int) -> None:
        if self.redis_away:
            raise RedisAway
        self.kept[key] = value

    @asynccontextmanager
    async def read(self) -> Any:  # Any: a transaction that nobody looks into
        if self.database_away:
            raise NoConnection
        yield None

    async def _recent(self, redis: object, actor: Actor) -> list[str]:
        return self.recent

    async def _cards(self, tx: object, ids: Sequence[UUID]) -> dict[UUID, Card]:
        return {one: card(one) for one in ids if one in self.on_sale}

    async def _units_sold(self, tx: object, limit: int) -> list[tuple[UUID, int]]:
        return self.sold

    async def _units_sold_in_category_of(self, tx: object, like: UUID, limit: int) -> list[tuple[UUID, int]]:
        return self.sold_in_category


def card(product: UUID) -> Card:
    return Card(
        product_id=product, title=f"Thing {product.int}", language=None,
        titles={"de": "Ding"} if product == A else None, brand=None, price=Decimal("9.99"), currency="USD", rating=4.0,
        review_count=0, thumbnail="/x.svg", prime_eligible=False, in_stock=True, condition="new",
    )  # fmt: skip


def ranking(*products: UUID, source: str = "personal") -> dict[str, object]:
    items = [{"productId": str(one), "score": 1 - n / 10, "reason": "because"} for n, one in enumerate(products)]
    return {"items": items, "source": source, "modelVersion": "m-7"}


def shown(answer: Recommendations) -> list[UUID]:
    return [one.product_id for one in answer.recommendations]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_the_recommenders_answer_is_shown_with_its_source_and_version(world: World) -> None:
    world.answer = ranking(B, A)
    answer = await world.for_you()

    assert (shown(answer), answer.source, answer.model_version) == ([B, A], "personal", "m-7")
    assert [(one.title, one.title_language) for one in answer.recommendations] == [("Thing 2", "en"), ("Ding", None)]


async def test_what_is_sold_out_or_twice_is_left_out_and_the_list_is_cut_to_its_length(world: World) -> None:
    world.answer, world.on_sale = ranking(A, B, B, C, D), {B, C, D}

    assert shown(await world.for_you(limit=2)) == [B, C]


async def test_the_recommender_is_asked_for_more_than_is_shown_and_told_what_was_seen(world: World) -> None:
    world.answer, world.recent = ranking(A), [str(B)]
    await world.for_you(limit=5)

    [asked] = world.asked
    assert (asked["path"], asked["limit"], asked["recent"]) == ("/v1/for-you", 5 + module.SPARE, [str(B)])
    assert asked["userId"] == str(SHOPPER.user_id)


async def test_a_silent_recommender_is_answered_from_its_last_answer(world: World) -> None:
    world.answer = ranking(A, B)
    await world.for_you()
    world.answer = None
    answer = await world.for_you()

    assert (shown(answer), answer.source, answer.model_version) == ([A, B], "cached", "m-7")


@pytest.mark.parametrize(
    "broken", [{"items": "no"}, {}, {"items": [{"productId": "7"}], "source": "x", "modelVersion": "y"}, [], "x", 7]
)
async def test_an_answer_of_another_shape_is_no_answer(world: World, broken: object) -> None:
    world.answer, world.sold = broken, [(A, 5)]

    assert (await world.for_you()).source == "popular"


async def test_an_error_of_the_recommender_is_no_answer(world: World) -> None:
    world.answer, world.status, world.sold = ranking(B), 500, [(A, 5)]
    answer = await world.for_you()

    assert (shown(answer), answer.source, answer.model_version) == ([A], "popular", None)


async def test_best_sellers_of_the_last_category_come_before_those_of_the_shop(world: World) -> None:
    world.recent, world.sold, world.sold_in_category = [str(D)], [(A, 5)], [(B, 4), (C, 1)]
    answer = await world.for_you()

    assert (shown(answer), answer.source) == ([B, C], "popular_in_category")
    assert [one.score for one in answer.recommendations] == [1.0, 0.25]
    world.sold_in_category, world.on_sale = [], {A}
    assert (await World.for_you(world)).source == "popular"


async def test_related_products_never_hold_the_product_itself(world: World) -> None:
    world.answer = ranking(A, B)

    assert shown(await world.recommender.related(A, 3, READER)) == [B]
    world.answer, world.kept, world.sold_in_category = None, {}, [(A, 9), (C, 1)]
    assert shown(await world.recommender.related(A, 3, READER)) == [C]


async def test_with_everything_away_the_list_is_empty_and_nothing_is_raised(world: World) -> None:
    world.redis_away = world.database_away = True
    answer = await world.for_you()
    assert (answer.recommendations, answer.source, answer.model_version) == ([], "empty", None)
    world.answer = ranking(A)
    assert (await world.for_you()).source == "empty"


async def test_an_answer_is_kept_in_its_wire_form(world: World) -> None:
    world.answer = ranking(A)
    await world.for_you()

    [kept] = world.kept.values()
    assert json.loads(kept) == {**ranking(A), "items": [{"productId": str(A), "score": 1.0, "reason": "because"}]}
