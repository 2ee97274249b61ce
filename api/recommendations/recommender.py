"""A list of recommendations from the first source that has one: the recommender, its last answer, best sellers of the
category, best sellers of the shop, an empty list. It never raises an error."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import psycopg
from pydantic import ValidationError
from redis.exceptions import RedisError

from api.catalog.pages import product_tag
from api.catalog.queries.listing import Card
from api.catalog.queries.offers import cards_of
from api.events.stream import recent_products
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.cache import PageCache, PageKey
from api.kernel.context import Context
from api.kernel.ids import parse_id
from api.kernel.languages import Reader
from api.kernel.logs import get_logger
from api.kernel.memo import Memo
from api.kernel.outbound import OutboundClient, Unreachable
from api.kernel.outbox import FEED
from api.orders.popularity import units_sold, units_sold_in_category_of
from api.recommendations.schemas import RankedItem, Ranking, Recommendation, Recommendations

log = get_logger(__name__)

CACHED_SECONDS = 24 * 3600
POPULAR_SECONDS = 60.0
POPULAR_LENGTH = 200
MAX_POPULARITY_LISTS = 5_000
MAX_CARDS = 20_000
# How long a list of related products is asked for no more, at random between the two.
RELATED_SECONDS = (60, 120)
LEFT_SECONDS = 60.0
MAX_LEFT = 2_000
# Items may have been withdrawn or sold out since the model was trained, so more are requested than are shown.
SPARE = 20
# One attempt may take this share of the deadline, so that its failure is counted before the deadline cancels it.
ATTEMPT_SHARE = 0.9

Cards = dict[UUID, Card]


class _NoAnswer(Exception):
    """The recommender has none."""


class Recommender:
    """One per process: the client of the serving process, lists of best sellers that are a minute old at most, and what
    is shown of products until they change."""

    def __init__(self, ctx: Context, cache: PageCache) -> None:
        self._ctx = ctx
        self._pages = cache
        self._left: dict[str, tuple[float, str]] = {}
        self._known: Memo[Card | None] = cache.memo(FEED, MAX_CARDS)
        self._deadline = ctx.settings.serving_timeout_seconds
        self._client = OutboundClient(ctx.http, "serving", ctx.settings.serving_url, {}, self._deadline * ATTEMPT_SHARE)
        self._popular: dict[UUID | None, tuple[float, list[RankedItem]]] = {}

    async def for_you(self, actor: Actor, limit: int, reader: Reader) -> Recommendations:
        """For an account or guest session; includes their latest views."""
        recent = await recent_products(self._ctx.redis, actor)
        body: dict[str, object] = {
            "userId": str(actor.user_id) if actor.user_id else None,
            "recent": recent,
            "limit": limit + SPARE,
        }
        like = parse_id(recent[-1]) if recent else None
        ranking = await self._ask("/v1/for-you", body)
        return await self._first_with_products(ranking, f"souk:recs:{actor.key}", like, limit, reader)

    async def related(self, product_id: UUID, limit: int, reader: Reader) -> Recommendations:
        """Related products; the product itself is never in the list."""
        ranking = await self._related_ranking(product_id, limit)
        return await self._first_with_products(
            ranking, f"souk:related:{product_id}", product_id, limit, reader, left_out=product_id
        )

    def shows(self, product_id: UUID) -> bool:
        """Whether the product was just shown, so that everybody may see it."""
        return any(card is not None for card in self._known.known((product_tag(product_id),)).values())

    async def _related_ranking(self, product_id: UUID, limit: int) -> Ranking | None:
        """The same for every shopper, so it is asked for once a minute or two."""

        async def build(*, may_lag: bool) -> tuple[bytes, str]:
            ranking = await self._ask("/v1/related", {"productId": str(product_id), "limit": limit + SPARE})
            if ranking is None:
                raise _NoAnswer
            return ranking.model_dump_json(by_alias=True).encode(), ""

        name = f"related:{product_id}:{limit}"
        key = PageKey("ranking", name, (product_tag(product_id),), FEED, RELATED_SECONDS)
        try:
            page, _ = await self._pages.page(key, build)
        except _NoAnswer:
            return None
        return Ranking.model_validate_json(page.body)

    async def _first_with_products(
        self,
        ranking: Ranking | None,
        key: str,
        like: UUID | None,
        limit: int,
        reader: Reader,
        *,
        left_out: UUID | None = None,
    ) -> Recommendations:
        """The first source with products on sale. `like`: the product whose category's best sellers are a fallback."""
        if ranking is not None and (shown := await self._shown(ranking.items, left_out, limit, reader)):
            await self._cache(key, ranking)
            return Recommendations(recommendations=shown, source=ranking.source, model_version=ranking.model_version)
        fallbacks: list[tuple[str, Callable[[], Awaitable[Ranking | None]]]] = [("cached", lambda: self._cached(key))]
        if like is not None:
            fallbacks.append(("popular_in_category", lambda: self._best_sellers(like)))
        fallbacks.append(("popular", lambda: self._best_sellers(None)))
        for source, find in fallbacks:
            found = await find()
            if found is not None and (shown := await self._shown(found.items, left_out, limit, reader)):
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

    async def _shown(
        self, items: Sequence[RankedItem], left_out: UUID | None, limit: int, reader: Reader
    ) -> list[Recommendation]:
        """Titles and prices for what is on sale and in stock, each once, at most `limit`; one statement."""
        unique: dict[UUID, RankedItem] = {}
        for item in items:
            if item.product_id != left_out:
                unique.setdefault(item.product_id, item)
        ordered = list(unique.values())[: limit + SPARE]
        own = [] if left_out is None else [left_out]
        cards = await self._cards([*own, *(item.product_id for item in ordered)])
        found = [item for item in ordered if item.product_id in cards][:limit]
        return [_recommendation(item, cards[item.product_id], reader) for item in found]

    async def _cards(self, product_ids: Sequence[UUID]) -> Cards:
        """The cards of those on sale and in stock; one statement for those that are not known."""
        tags = {product_tag(product): product for product in product_ids}
        known = self._known.known(tags)
        cards = {card.product_id: card for card in known.values() if card is not None}
        if missing := [product for tag, product in tags.items() if tag not in known]:
            try:
                with self._known.reading() as read:
                    async with self._ctx.db.read() as tx:
                        found = await cards_of(tx, missing)
                    read.update({product_tag(product): found.get(product) for product in missing})
                cards |= found
            except psycopg.Error as error:
                log.warning("recommendations cannot be shown, the database does not answer", error=type(error).__name__)
        return cards

    async def _cache(self, key: str, ranking: Ranking) -> None:
        """Leave the answer for when the recommender does not answer; the same one is left once a minute."""
        answer, now = ranking.model_dump_json(by_alias=True), clock.monotonic()
        until, before = self._left.get(key, (now, ""))
        if now < until and answer == before:
            return
        if len(self._left) >= MAX_LEFT:
            self._left.clear()
        self._left[key] = (now + LEFT_SECONDS, answer)
        try:
            await self._ctx.redis.set(key, answer, ex=CACHED_SECONDS)
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


def _recommendation(item: RankedItem, card: Card, reader: Reader) -> Recommendation:
    title, language = card.title_for(reader)
    return Recommendation(
        product_id=item.product_id,
        title=title,
        title_language=language,
        reason=item.reason,
        score=item.score,
        price=card.price,
        currency=card.currency,
        rating=card.rating,
        thumbnail=card.thumbnail,
        in_stock=card.in_stock,
    )
