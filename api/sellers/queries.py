"""Reads about stores."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    ScalarSelect,
    Select,
    Uuid,
    any_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from api.kernel.actor import Actor
from api.kernel.db import Query, ReadTx, all_as
from api.sellers.errors import SellerNotFound
from api.sellers.models import Seller, SellerProfile
from api.sellers.schemas import Policies, SafetyContact, Store, TraderData


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


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a seller is trusted."""

    verified: bool
    opened_at: datetime


def standing_of(seller_id: ScalarSelect[UUID]) -> Select[tuple[bool, datetime]]:
    """The statement of a Standing, for a seller that the caller's own subquery finds."""
    return select(Seller.verified, Seller.created_at.label("opened_at")).where(Seller.seller_id == seller_id)


def is_verified(seller_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """The condition that the seller in a column of the caller's is verified."""
    return exists().where(Seller.seller_id == seller_id, Seller.verified)


def store_card_of(seller_id: ScalarSelect[UUID]) -> Select[tuple[UUID, str, Decimal]]:
    """The statement of a StoreCard, for a seller that the caller's own subquery finds."""
    return _CARD.where(Seller.seller_id == seller_id)


def store_cards_of(seller_ids: Select[tuple[UUID]]) -> Select[tuple[UUID, str, Decimal]]:
    """The same for the sellers that the caller's own statement finds."""
    return _CARD.where(Seller.seller_id.in_(seller_ids))


async def store_card(tx: ReadTx, seller_id: UUID) -> StoreCard | None:
    """A store's public data; None when the account is no seller."""
    return await tx.first_as(StoreCard, _STORE, {"seller_id": seller_id})


async def stores_of(tx: ReadTx, seller_ids: Iterable[UUID]) -> dict[UUID, StoreOf]:
    """Stores by id."""
    return {store.seller_id: store for store in await tx.fetch(stores_query(seller_ids))}


def stores_query(seller_ids: Iterable[UUID]) -> Query[list[StoreOf]]:
    """The query of `stores_of`."""
    return all_as(StoreOf, _STORES, {"ids": list(seller_ids)})


@dataclass(frozen=True, slots=True)
class _Store:
    """A store with what its seller says of it."""

    seller_id: UUID
    name: str
    country: str
    rating: Decimal
    verified: bool
    since: datetime
    about: str | None
    policies: dict[str, object] | None
    trader: bool
    contact: dict[str, object] | None
    safety_contact: dict[str, object] | None


# A trader's contact is public by law; a private seller's is the seller's alone.
_MAY_REACH = or_(SellerProfile.trader, SellerProfile.seller_id == bindparam("viewer", type_=Uuid))
_PROFILE = (
    select(
        Seller.seller_id,
        Seller.name,
        Seller.country,
        Seller.rating,
        Seller.verified,
        Seller.created_at.label("since"),
        SellerProfile.about,
        SellerProfile.policies,
        func.coalesce(SellerProfile.trader, False).label("trader"),
        case((_MAY_REACH, SellerProfile.contact)).label("contact"),
        SellerProfile.safety_contact,
    )
    .outerjoin(SellerProfile, SellerProfile.seller_id == Seller.seller_id)
    .where(Seller.seller_id == bindparam("seller_id"))
)


async def store_of(tx: ReadTx, actor: Actor, seller_id: UUID) -> Store:
    """A store as the actor may see it: how to reach a private seller is for the seller alone. Raises:
    SellerNotFound."""
    row = await tx.first_as(_Store, _PROFILE, {"seller_id": seller_id, "viewer": actor.user_id})
    if row is None:
        raise SellerNotFound
    return Store(
        seller_id=row.seller_id,
        name=row.name,
        about=row.about,
        country=row.country,
        rating=float(row.rating),
        verified=row.verified,
        since=row.since,
        policies=Policies.model_validate(row.policies or {}),
        trader=row.trader,
        contact=None if row.contact is None else TraderData.model_validate(row.contact),
        safety_contact=None if row.safety_contact is None else SafetyContact.model_validate(row.safety_contact),
        products=f"/api/v1/products?sellerId={seller_id}",
    )


async def require_seller(tx: ReadTx, seller_id: UUID) -> None:
    """Raises: SellerNotFound."""
    if await store_card(tx, seller_id) is None:
        raise SellerNotFound
