"""What the things of an order weigh, for whoever carries them."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.catalog.models import Product
from api.kernel.db import ReadTx

_WEIGHTS = select(Product.product_id, Product.weight_grams).where(
    Product.product_id == any_(bindparam("product_ids", type_=ARRAY(Uuid))), Product.weight_grams.is_not(None)
)


async def grams_of(tx: ReadTx, product_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Grams per unit by product; those of unknown weight are absent."""
    return {row[0]: row[1] for row in await tx.all(_WEIGHTS, {"product_ids": list(product_ids)})}
