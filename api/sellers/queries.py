"""Reads about stores."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, bindparam, select

from api.kernel.db import ReadTx
from api.sellers.models import Seller


@dataclass(frozen=True, slots=True)
class StoreCard:
    """The public data of a store."""

    seller_id: UUID
    name: str
    rating: Decimal


_CARD = select(Seller.seller_id, Seller.name, Seller.rating)
_STORE = _CARD.where(Seller.seller_id == bindparam("seller_id"))


def store_card_of(seller_id: ScalarSelect[UUID]) -> Select[tuple[UUID, str, Decimal]]:
    """The statement of a StoreCard, for a seller that the caller's own subquery finds."""
    return _CARD.where(Seller.seller_id == seller_id)


async def store_card(tx: ReadTx, seller_id: UUID) -> StoreCard | None:
    """A store's public data; None when the account is no seller."""
    return await tx.first_as(StoreCard, _STORE, {"seller_id": seller_id})
