"""A list of recommendations from the first source that has one: the recommender, its last answer, best sellers of the
category, best sellers of the shop, an empty list. It never raises an error."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import psycopg
from pydantic import ValidationError
from redis.exceptions import RedisError

from api.catalog.queries.offers import cards_of
from api.catalog.schemas import ProductCard
from api.events.stream import recent_products
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.ids import parse_id
from api.kernel.logs import get_logger
from api.kernel.outbound import OutboundClient, Unreachable
from api.orders.popularity import units_sold, units_sold_in_category_of
from api.recommendations.schemas import RankedItem, Ranking, Recommendation, Recommendations

log = get_logger(__name__)

CACHED_SECONDS = 24 * 3600
POPULAR_SECONDS = 60.0
POPULAR_LENGTH = 200
MAX_POPULARITY_LISTS = 5_000
# Items may have been withdrawn or sold out since the model was trained, so more are requested than are shown.
SPARE = 20
# One attempt may take this share of the deadline, so that its failure is counted before the deadline cancels it.
ATTEMPT_SHARE = 0.9

Cards = dict[UUID, ProductCard]


class Recommender:
    """One per process: the client of the serving process and lists of best sellers that are a minute old at most."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._deadline = ctx.settings.serving_timeout_seconds
        self._client = OutboundClient(ctx.http, "serving", ctx.settings.serving_url, {}, self._deadline * ATTEMPT_SHARE)
        self._popular: dict[UUID | None, tuple[float, list[RankedItem]]] = {}

    async def for_you(self, actor: Actor, limit: int) -> Recommendations:
        """For an account or guest session; includes their latest views."""
        recent = await recent_products(self._ctx.redis, actor)
        body: dict[str, object] = {
            "userId": str(actor.user_id) if actor.user_id else None,
            "recent": recent,
            "limit": limit + SPARE,
        }
        like = parse_id(recent[-1]) if recent else None
        return await self._first_with_products("/v1/for-you", body, f"souk:recs:{actor.key}", like, limit)

    async def related(self, product_id: UUID, limit: int) -> Recommendations:
        """Related products; the product itself is never in the list."""
        body = {"productId": str(product_id), "limit": limit + SPARE}
        return await self._first_with_products("/v1/related", body, f"souk:related:{product_id}", product_id, limit)

    async def _first_with_products(
        self, path: str, body: dict[str, object], key: str, like: UUID | None, limit: int
    ) -> Recommendations:
        """The first source with products on sale. `like`: the product whose category's best sellers are a fallback."""
        left_out = like if path == "/v1/related" else None
        ranking = await self._ask(path, body)
        if ranking is not None and (shown := await self._shown(ranking.items, left_out, limit)):
            await self._cache(key, ranking)
            return Recommendations(recommendations=shown, source=ranking.source, model_version=ranking.model_version)
        fallbacks: list[tuple[str, Callable[[], Awaitable[Ranking | None]]]] = [("cached", lambda: self._cached(key))]
        if like is not None:
            fallbacks.append(("popular_in_category", lambda: self._best_sellers(like)))
        fallbacks.append(("popular", lambda: self._best_sellers(None)))
        for source, find in fallbacks:
            found = await find()
            if found is not None and (shown := await self._shown(found.items, left_out, limit)):
                version = found.model_version if source == "cached" else None
                return Recommendations(recommendations=shown, source=source, model_version=version)
        return Recommendations(recommendations=[], source="empty", model_version=None)

    async def _ask(self, path: str, body: dict[str, object]) -> Ranking | None:
        """The recommender's answer within the deadline; None for no answer and for one that is not valid."""
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._client.post(path, body)
            return Ranking.model_validate(answer.body) if answer.status == 200 else None
        except (Unreachable, TimeoutError, ValidationError) as error:
            log.info("no answer from the recommender", reason=type(error).__name__)
            return None

    async def _shown(self, items: Sequence[RankedItem], left_out: UUID | None, limit: int) -> list[Recommendation]:
        """Titles and prices for what is on sale and in stock, each once, at most `limit`; one statement."""
        unique: dict[UUID, RankedItem] = {}
        for item in items:
            if item.product_id != left_out:
                unique.setdefault(item.product_id, item)
        ordered = list(unique.values())[: limit + SPARE]
        cards = await self._cards([item.product_id for item in ordered])
        return [_recommendation(item, cards[item.product_id]) for item in ordered if item.product_id in cards][:limit]

    async def _cards(self, product_ids: Sequence[UUID]) -> Cards:
        if not product_ids:
            return {}
        try:
            async with self._ctx.db.read() as tx:
                return await cards_of(tx, product_ids)
        except psycopg.Error as error:
            log.warning("recommendations cannot be shown, the database does not answer", error=type(error).__name__)
            return {}

    async def _cache(self, key: str, ranking: Ranking) -> None:
        try:
            await self._ctx.redis.set(key, ranking.model_dump_json(by_alias=True), ex=CACHED_SECONDS)
        except RedisError:
            log.debug("the answer is not kept, Redis is away")

    async def _cached(self, key: str) -> Ranking | None:
        try:
            kept = await self._ctx.redis.get(key)
            return Ranking.model_validate_json(kept) if kept else None
        except (RedisError, ValidationError):
            return None

    async def _best_sellers(self, like: UUID | None) -> Ranking | None:
        """Best sellers in the category of `like`, or overall; None when the database does not answer."""
        kept = self._popular.get(like)
        if kept is None or kept[0] < clock.monotonic():
            try:
                async with self._ctx.db.read() as tx:
                    units = await (
                        units_sold_in_category_of(tx, like, POPULAR_LENGTH) if like else units_sold(tx, POPULAR_LENGTH)
                    )
            except psycopg.Error:
                return None
            if len(self._popular) >= MAX_POPULARITY_LISTS:
                self._popular.clear()
            reason = "Popular in this category" if like else "Popular right now"
            most = units[0][1] if units else 1
            items = [
                RankedItem(productId=product, score=round(sold / most, 4), reason=reason) for product, sold in units
            ]
            kept = self._popular[like] = (clock.monotonic() + POPULAR_SECONDS, items)
        return Ranking(items=kept[1], source="popular", modelVersion="")


def _recommendation(item: RankedItem, card: ProductCard) -> Recommendation:
    return Recommendation(
        product_id=item.product_id,
        title=card.title,
        reason=item.reason,
        score=item.score,
        price=card.price,
        currency=card.currency,
        rating=card.rating,
        thumbnail=card.thumbnail,
        in_stock=card.in_stock,
    )
