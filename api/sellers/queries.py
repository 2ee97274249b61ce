"""Reads about stores."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from api.kernel.db import ReadTx
from api.sellers.models import Seller


async def store_card(tx: ReadTx, seller_id: UUID) -> Row[Any] | None:  # Any: row of the named columns
    """seller_id, name, rating, verified of a public store."""
    return await tx.first(
        select(Seller.seller_id, Seller.name, Seller.rating, Seller.verified).where(Seller.seller_id == seller_id)
    )
