"""Reads of scheduled changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Float, Uuid, bindparam, cast, func, select

from api.catalog.errors import ProductNotFound
from api.catalog.models import Product
from api.catalog.schedules.models import ScheduledChange
from api.catalog.schedules.schemas import PriceWindow, Schedule
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, all_as, first_as

_OWN = select(Product.version).where(
    Product.product_id == bindparam("product_id", type_=Uuid),
    Product.seller_id == bindparam("seller_id", type_=Uuid),
    Product.deleted_at.is_(None),
)
_COLUMNS = (
    ScheduledChange.kind,
    ScheduledChange.at,
    ScheduledChange.price,
    ScheduledChange.since,
    ScheduledChange.reduced_to,
)
_OF_PRODUCT = select(*_COLUMNS).where(ScheduledChange.product_id == bindparam("product_id", type_=Uuid))
_DUE = (
    select(ScheduledChange.product_id, Product.seller_id, Product.deleted_at)
    .join(Product, Product.product_id == ScheduledChange.product_id)
    .where(ScheduledChange.at <= func.now())
    .order_by(ScheduledChange.at)
    .limit(100)
)
_LEFT = select(cast(func.extract("epoch", func.min(ScheduledChange.at) - func.clock_timestamp()), Float).label("left"))


@dataclass(frozen=True, slots=True)
class Set:
    """A scheduled change, as its row has it."""

    kind: str
    at: datetime
    price: Decimal | None
    since: datetime | None
    reduced_to: Decimal | None


@dataclass(frozen=True, slots=True)
class Due:
    """A product of which a change is due."""

    product_id: UUID
    seller_id: UUID
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Own:
    version: int


async def schedule_of(tx: ReadTx, actor: Actor, product_id: UUID) -> Schedule:
    """What is to happen to the actor's own product. Raises: ProductNotFound."""
    asked = {"product_id": product_id, "seller_id": actor.user_id}
    own, found = await tx.batch(first_as(_Own, _OWN, asked), all_as(Set, _OF_PRODUCT, asked))
    if own is None:
        raise ProductNotFound("You sell no product with this id.")
    return schedule_from(found)


async def set_for(tx: ReadTx, product_id: UUID) -> list[Set]:
    """What is set for a product that the caller has locked."""
    return await tx.all_as(Set, _OF_PRODUCT, {"product_id": product_id})


async def due(tx: ReadTx) -> list[Due]:
    """Products of which a change is due, some at a time."""
    return await tx.all_as(Due, _DUE)


async def seconds_left(tx: ReadTx) -> float | None:
    """How long it is until the next moment by the database's clock, 0 when it has passed; None when nothing is set."""
    left: float | None = await tx.scalar(_LEFT)
    return None if left is None else max(left, 0.0)


def schedule_from(found: Sequence[Set]) -> Schedule:
    """The body of these rows. A price that has begun stands there until it ends."""
    by_kind = {one.kind: one for one in found}
    publish, unpublish = by_kind.get("publish"), by_kind.get("unpublish")
    begins, ends = by_kind.get("price_from"), by_kind.get("price_to")
    window = None
    if begins is not None and begins.price is not None:
        window = PriceWindow(price=begins.price, from_=begins.at, to=ends.at if ends else None)
    elif ends is not None and ends.reduced_to is not None and ends.since is not None:
        window = PriceWindow(price=ends.reduced_to, from_=ends.since, to=ends.at)
    return Schedule(
        publish_at=publish.at if publish else None, unpublish_at=unpublish.at if unpublish else None, price=window
    )
