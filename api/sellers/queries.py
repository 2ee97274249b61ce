"""Reads about stores."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import bindparam, select

from api.kernel.db import ReadTx
from api.sellers.models import Seller


@dataclass(frozen=True, slots=True)
class StoreCard:
    """The public data of a store."""

    seller_id: UUID
    name: str
    rating: Decimal


_STORE = select(Seller.seller_id, Seller.name, Seller.rating).where(Seller.seller_id == bindparam("seller_id"))


async def store_card(tx: ReadTx, seller_id: UUID) -> StoreCard | None:
    """A store's public data; None when the account is no seller."""
    return await tx.first_as(StoreCard, _STORE, {"seller_id": seller_id})
