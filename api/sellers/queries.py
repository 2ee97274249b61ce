"""Reads about stores."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, ScalarSelect, Select, Uuid, any_, bindparam, select

from api.kernel.db import ReadTx
from api.sellers.models import Seller


@dataclass(frozen=True, slots=True)
class StoreCard:
    """The public data of a store."""

    seller_id: UUID
    name: str
    rating: Decimal


@dataclass(frozen=True, slots=True)
class StoreOf:
    """Who a store is on paper."""

    seller_id: UUID
    name: str
    country: str


_STORES = select(Seller.seller_id, Seller.name, Seller.country).where(
    Seller.seller_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)
_CARD = select(Seller.seller_id, Seller.name, Seller.rating)
_STORE = _CARD.where(Seller.seller_id == bindparam("seller_id"))


def store_card_of(seller_id: ScalarSelect[UUID]) -> Select[tuple[UUID, str, Decimal]]:
    """The statement of a StoreCard, for a seller that the caller's own subquery finds."""
    return _CARD.where(Seller.seller_id == seller_id)


async def store_card(tx: ReadTx, seller_id: UUID) -> StoreCard | None:
    """A store's public data; None when the account is no seller."""
    return await tx.first_as(StoreCard, _STORE, {"seller_id": seller_id})


async def stores_of(tx: ReadTx, seller_ids: Iterable[UUID]) -> dict[UUID, StoreOf]:
    """Stores by id."""
    return {store.seller_id: store for store in await tx.all_as(StoreOf, _STORES, {"ids": list(seller_ids)})}
