"""Reads about stores."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from api.kernel.db import ReadTx
from api.sellers.models import Seller


@dataclass(frozen=True, slots=True)
class StoreCard:
    """A store as everybody may see it."""

    seller_id: UUID
    name: str
    rating: Decimal


async def store_card(tx: ReadTx, seller_id: UUID) -> StoreCard | None:
    """A public store; None when the account sells nothing."""
    columns = (Seller.seller_id, Seller.name, Seller.rating)
    return await tx.first_as(StoreCard, select(*columns).where(Seller.seller_id == seller_id))
