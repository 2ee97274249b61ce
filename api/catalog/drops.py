"""Pages that a change of a product, or of a variant's stock, puts out of date."""

from collections.abc import Collection, Sequence
from uuid import UUID

import orjson

from api.catalog.pages import product_tag
from api.catalog.queries.offers import products_of
from api.kernel.db import ReadTx
from api.kernel.outbox import Drop, Pending


async def _products(tx: ReadTx, events: Sequence[Pending]) -> Collection[str]:
    changed = {event.aggregate_id for event in events if event.aggregate_type == "product"}
    variants = {event.aggregate_id for event in events if event.aggregate_type == "variant"}
    variants |= {
        UUID(orjson.loads(event.payload)["variantId"]) for event in events if event.aggregate_type == "reservation"
    }
    if variants:
        changed |= await products_of(tx, variants)
    return {product_tag(product_id) for product_id in changed}


DROPS: tuple[Drop, ...] = (_products,)
