"""Variants of a product, as a save leaves them."""

from collections.abc import Collection, Sequence
from uuid import UUID

import orjson
from psycopg.errors import UniqueViolation
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, insert, select, update

from api.catalog.commands.matching import SavedVariant, VariantPlan
from api.catalog.errors import GtinTaken, SkuTaken
from api.catalog.models import ProductVariant
from api.catalog.statements import CHANGE_VARIANTS, NAMES_TAKEN, RENAME_VARIANTS
from api.inventory.stocktake import change_stock, set_stock
from api.kernel.actor import Actor
from api.kernel.db import Tx

_LIVING = (
    select(
        ProductVariant.variant_id,
        ProductVariant.sku,
        ProductVariant.attributes,
        ProductVariant.own_price,
        ProductVariant.price,
        ProductVariant.stock_quantity.label("units"),
        ProductVariant.gtin,
    )
    .where(ProductVariant.product_id == bindparam("product_id", type_=Uuid), ProductVariant.removed_at.is_(None))
    .order_by(ProductVariant.variant_id)
    .with_for_update(key_share=True)
)
# The time at which the locks are held, not that of the transaction's start: what was reserved while it waited for them
# was reserved before.
_REMOVE = (
    update(ProductVariant)
    .where(ProductVariant.variant_id == any_(bindparam("variant_ids", type_=ARRAY(Uuid))))
    .values(removed_at=func.clock_timestamp(), updated_at=func.now())
)


async def living_variants(tx: Tx, product_id: UUID) -> list[SavedVariant]:
    """The product's variants that are not removed, locked in the order of their ids, as checkouts lock them."""
    return await tx.all_as(SavedVariant, _LIVING, {"product_id": product_id})


async def save_variants(tx: Tx, actor: Actor, product_id: UUID, plan: VariantPlan) -> None:
    """Remove, change and make variants, in this order, and book their stock.

    Raises: SkuTaken and GtinTaken when another product of the seller has one of them, SkuTaken also when it got one at
    the same moment; UnitsOwed and BelowZero, from the stock.
    """
    await remove_variants(tx, plan.removed)
    saved = [*plan.changed, *plan.made]
    asked = {"seller_id": actor.user_id, "product_id": product_id, "skus": [variant.sku for variant in saved]}
    asked["gtins"] = [variant.gtin for variant in saved if variant.gtin is not None]
    taken = await tx.first(NAMES_TAKEN, asked) if saved else None
    if taken is not None:
        what, refusal = ("GTIN", GtinTaken) if taken[2] else ("SKU", SkuTaken)
        raise refusal(f"Another product of yours has the {what} {taken[0]}.", extra={"productId": str(taken[1])})
    try:
        await _change(tx, plan)
        await _make(tx, actor, product_id, plan.made)
    except UniqueViolation:
        raise SkuTaken("Another product of yours got one of these SKUs or GTINs at the same moment.") from None
    await set_stock(tx, plan.stock)
    await change_stock(tx, plan.changes)


async def remove_variants(tx: Tx, variant_ids: Collection[UUID]) -> None:
    """Take variants off sale for good; the caller has locked them, so no checkout reserves units of them any more."""
    if variant_ids:
        await tx.execute(_REMOVE, {"variant_ids": list(variant_ids)})


async def _change(tx: Tx, plan: VariantPlan) -> None:
    if plan.renamed:
        # Variants may change SKUs with one another: each has one that is nobody's meanwhile, and no GTIN.
        await tx.execute(RENAME_VARIANTS, {"ids": plan.renamed})
    if plan.changed:
        values = {
            "ids": [one.variant_id for one in plan.changed],
            "skus": [one.sku for one in plan.changed],
            "gtins": [one.gtin for one in plan.changed],
            "attributes": [orjson.dumps(one.attributes).decode() for one in plan.changed],
            "own_prices": [one.own_price for one in plan.changed],
            "prices": [one.price for one in plan.changed],
        }
        await tx.execute(CHANGE_VARIANTS, values)


async def _make(tx: Tx, actor: Actor, product_id: UUID, variants: Sequence[SavedVariant]) -> None:
    if variants:
        of_product = {"product_id": product_id, "seller_id": actor.user_id}
        rows = [
            {
                "variant_id": one.variant_id,
                "sku": one.sku,
                "gtin": one.gtin,
                "attributes": one.attributes,
                "own_price": one.own_price,
                "price": one.price,
                **of_product,
            }
            for one in variants
        ]
        await tx.execute(insert(ProductVariant).values(rows))
