"""Pages that a change of a product, of a variant's stock, of the category tree or of a store, puts out of date."""

from collections.abc import Collection, Sequence
from uuid import UUID

import orjson

from api.catalog.offers.events import ARTICLE_EVENTS
from api.catalog.offers.queries import products_of
from api.catalog.pages import TREE, product_tag
from api.catalog.tree.queries import products_in, products_of_sellers, products_of_small_sellers
from api.kernel.db import ReadTx
from api.kernel.outbox import Drop, Pending
from api.sellers.events import AGGREGATE, RATED

MOST_RATED = 200


async def _products(tx: ReadTx, events: Sequence[Pending]) -> Collection[str]:
    """The products of the events, and those of an article that others have left or joined."""
    changed = {event.aggregate_id for event in events if event.aggregate_type == "product"}
    variants = {event.aggregate_id for event in events if event.aggregate_type == "variant"}
    variants |= {
        UUID(orjson.loads(event.payload)["variantId"]) for event in events if event.aggregate_type == "reservation"
    }
    articles = {
        UUID(one)
        for event in events
        if event.event_type in ARTICLE_EVENTS
        for one in orjson.loads(event.payload)["articleIds"]
    }
    if variants or articles:
        changed |= await products_of(tx, variants, articles)
    return {product_tag(product_id) for product_id in changed}


async def _tree(tx: ReadTx, events: Sequence[Pending]) -> Collection[str]:
    """The tree, and the products whose category changed its path or was another."""
    told = [orjson.loads(event.payload) for event in events if event.aggregate_type == "category"]
    if not told:
        return ()
    categories = {UUID(one) for event in told for one in event["categoryIds"]}
    products = {UUID(one) for event in told for one in event["productIds"]} | await products_in(tx, categories)
    return {TREE, *map(product_tag, products)}


async def _sellers(tx: ReadTx, events: Sequence[Pending]) -> Collection[str]:
    """The pages of a store's products, which name it and say how it is rated. A shopper's review changes the rating, so
    of a store with more than MOST_RATED products the pages follow when they are made again, within half an hour."""
    told = [event for event in events if event.aggregate_type == AGGREGATE]
    changed = {event.aggregate_id for event in told if event.event_type != RATED}
    rated = {event.aggregate_id for event in told if event.event_type == RATED} - changed
    products = await products_of_sellers(tx, changed) | await products_of_small_sellers(tx, rated, MOST_RATED)
    return {product_tag(product) for product in products}


DROPS: tuple[Drop, ...] = (_products, _tree, _sellers)
