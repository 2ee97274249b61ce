"""How many there are of kits, stored with their variants as the stock of others is."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select
from sqlalchemy.orm import aliased

from api.catalog.kits.models import KitComponent
from api.catalog.kits.statements import MISCOUNTED
from api.catalog.models import ProductVariant
from api.inventory.stocktake import set_counted
from api.kernel.db import ReadTx, Tx

_OF = any_(bindparam("products", type_=ARRAY(Uuid)))
_COMPONENT = aliased(ProductVariant, name="component")
_KITS = (
    select(ProductVariant.product_id)
    .join(KitComponent, KitComponent.variant_id == ProductVariant.variant_id)
    .join(_COMPONENT, _COMPONENT.variant_id == KitComponent.component_id)
    .where(_COMPONENT.product_id == _OF)
).union(
    select(ProductVariant.product_id)
    .join(KitComponent, KitComponent.variant_id == ProductVariant.variant_id)
    .where(ProductVariant.product_id == _OF)
)


async def kits_among(tx: ReadTx, products: Collection[UUID]) -> list[UUID]:
    """Which products are kits that have a variant of these, or are kits among these."""
    return [row[0] for row in await tx.all(_KITS, {"products": list(products)})]


async def count_kits(tx: Tx, kits: Collection[UUID]) -> None:
    """Say anew how many there are of the variants of these kits."""
    counts = {row[0]: row[1] for row in await tx.all(MISCOUNTED, {"products": list(kits)})}
    await set_counted(tx, counts)
