"""The product list as ready pages."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, cast
from uuid import UUID

import orjson
from fastapi import Request
from pydantic import Field, StringConstraints

from api.catalog.brands.keys import key_of, spellings_of
from api.catalog.errors import CategoryNotFound
from api.catalog.pages import EVERY_LIST, LISTS_FEED, WHOLE_SHOP, department_tag
from api.catalog.queries import counting, listing
from api.catalog.queries.categories import department_of
from api.catalog.queries.counting import ListCounter
from api.catalog.queries.listing import ListedProduct, ProductQuery, Way
from api.catalog.schemas import AskedSort, ProductFilters
from api.catalog.tree.kept import KeptTree
from api.kernel import etags
from api.kernel.cache import PageKey
from api.kernel.context import Context
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.languages import Reader
from api.kernel.money import MAX_AMOUNT
from api.kernel.pagination import Cursor, PageLimit, PageNumber, PageParams, Pagination, decode_cursor, encode_cursor
from api.kernel.readers import Named
from api.kernel.schemas import Params, Wire
from api.sellers.queries import require_seller

NO_CONTROL = r"^[^\x00-\x1f\x7f]+$"
BrandName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NO_CONTROL)]
# Pages further down are asked for once each, and pages by cursor too.
KEPT_PAGES = 10
# The order by popularity changes with every view, which drops no page.
LIST_SECONDS = (15 * 60, 20 * 60)


class ListParams(Params):
    """What a shopper asks for."""

    category: Annotated[
        str | None,
        Field(
            min_length=1, max_length=1000, pattern=NO_CONTROL, description="Id, path or name; includes what is below"
        ),
    ] = None
    brand: Annotated[
        list[BrandName] | None, Field(max_length=50, description="In any of its spellings; repeat for several")
    ] = None
    seller_id: UUID | None = None
    min_price: Annotated[Decimal | None, Field(ge=0, le=MAX_AMOUNT)] = None
    max_price: Annotated[Decimal | None, Field(ge=0, le=MAX_AMOUNT)] = None
    min_rating: Annotated[float | None, Field(ge=0, le=5, allow_inf_nan=False)] = None
    prime: bool | None = None
    in_stock: bool | None = None
    sort: AskedSort = "relevance"
    page: PageNumber = 1
    limit: PageLimit = 20
    cursor: Cursor = None
    language: Named = None

    @property
    def position(self) -> PageParams:
        return PageParams(self.page, self.limit, self.cursor)

    @property
    def kept(self) -> bool:
        """Whether others are likely to ask for the same page."""
        return self.cursor is None and self.page <= KEPT_PAGES


def list_body(cards: Sequence[ListedProduct], pagination: Pagination, filters: ProductFilters, reader: Reader) -> bytes:
    """A ProductList, written without checking each card: that takes as long as reading them."""
    shown = [
        {
            "productId": card.product_id,
            "title": title,
            "titleLanguage": language,
            "brand": card.brand,
            "price": float(card.price),
            "currency": card.currency,
            "rating": card.rating,
            "reviewCount": card.review_count,
            "thumbnail": card.thumbnail,
            "primeEligible": card.prime_eligible,
            "inStock": card.in_stock,
            "condition": card.condition,
        }
        for card in cards
        for title, language in (card.title_for(reader),)
    ]
    rest = {"pagination": pagination, "filters": filters}
    return orjson.dumps({"products": shown, **rest}, default=_wire)


def _wire(body: object) -> dict[str, object]:
    if isinstance(body, Wire):
        return body.model_dump(mode="json", by_alias=True)
    raise TypeError(type(body).__name__)


class ProductLists:
    """One per process. `counter` counts what lists hold."""

    def __init__(self, ctx: Context, tree: KeptTree, counter: ListCounter) -> None:
        self._ctx = ctx
        self._tree = tree
        self.counter = counter

    async def resolve(self, asked: ListParams, reader: Reader) -> tuple[ProductQuery, PageKey]:
        """The query with its categories known, and the key of its page in the reader's language.

        Raises: CategoryNotFound; ValidationFailed for prices that end before they begin.
        """
        if asked.min_price is not None and asked.max_price is not None and asked.min_price > asked.max_price:
            message = "minPrice must not be above maxPrice"
            errors = [FieldError(pointer=f"/query/{name}", message=message) for name in ("minPrice", "maxPrice")]
            raise ValidationFailed("The prices end before they begin.", errors=errors)
        tags: tuple[str, ...] = (WHOLE_SHOP, EVERY_LIST)
        ids: tuple[UUID, ...] | None = None
        if asked.category is not None:
            found = (await self._tree.now()).within(asked.category)
            if not found:
                raise CategoryNotFound("`category` is the id, path or name of a category of GET /categories.")
            ids = tuple(sorted(row.category_id for row in found))
            tags = (*sorted({department_tag(department_of(row.path)) for row in found}), EVERY_LIST)
        query = ProductQuery(
            categories=ids,
            seller_id=asked.seller_id,
            brands=tuple(sorted(set(map(key_of, asked.brand or ())))),
            min_price=asked.min_price,
            max_price=asked.max_price,
            min_rating=asked.min_rating,
            prime=asked.prime,
            in_stock=asked.in_stock,
            sort=asked.sort,
        )
        name = orjson.dumps([query.binds(), query.sort, asked.page, asked.limit, reader.language], default=str)
        digest = hashlib.blake2b(name, digest_size=16).hexdigest()
        return query, PageKey("list", f"list:{digest}", tags, LISTS_FEED, LIST_SECONDS, reader.language)

    async def page(self, query: ProductQuery, page: PageParams, reader: Reader, *, may_lag: bool) -> tuple[bytes, str]:
        """The body and its entity tag. Raises: ValidationFailed when the cursor is not of this sort;
        SellerNotFound."""
        keys, name = self._ctx.keys, f"products:{query.sort}"
        after = decode_cursor(keys, name, page.cursor) if page.cursor else None
        query = await self._spelled(query, may_lag=may_lag)
        # The counts first: what the database has then is at least as new.
        counts = counting.NONE if query.categories == () else await self.counter.count(query)
        way: Way = "walk" if counts is None else await self._way(query, counts.total, page)
        async with self._ctx.db.read(may_lag=may_lag) as tx:
            cards, position = await listing.product_page(
                tx, query, limit=page.limit, offset=page.offset, after=after, way=way
            )
            if counts is None:
                counts = await counting.count_in_database(tx, query)
            if not counts.total and query.seller_id is not None:
                await require_seller(tx, query.seller_id)
        pagination = Pagination(
            page=page.page,
            limit=page.limit,
            total=counts.total,
            has_more=position is not None,
            next_cursor=encode_cursor(keys, name, position) if position else None,
        )
        rendered = list_body(cards, pagination, counts.filters(), reader)
        return rendered, etags.etag_of(0, rendered)

    async def _spelled(self, query: ProductQuery, *, may_lag: bool) -> ProductQuery:
        """With each brand in all its spellings: the index knows them, so the database compares what it has."""
        if not query.brands:
            return query
        spellings = await self.counter.spellings(query.brands)
        if spellings is None:
            async with self._ctx.db.read(may_lag=may_lag) as tx:
                spellings = tuple(await spellings_of(tx, query.brands))
        # A key that nobody spells so finds nothing.
        return replace(query, brands=spellings or query.brands)

    async def _way(self, query: ProductQuery, matching: int, page: PageParams) -> Way:
        """By the counts of the search index, which are at most a second old: that can cost time, nothing else."""
        if listing.walked_at_once(query):
            return "walk"
        passed = await self.counter.count(ProductQuery(categories=query.categories))
        entries = page.limit if page.cursor else page.offset + page.limit
        return "walk" if passed is None else listing.way_of(query, passed.total, matching, entries)


async def lists_of(request: Request) -> ProductLists:
    """The application's lists."""
    return cast("ProductLists", request.app.state.product_lists)
