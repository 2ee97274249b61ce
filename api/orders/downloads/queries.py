"""Reads of files that are sold: a seller's own, and what a buyer may download."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from api.inventory.errors import VariantNotFound
from api.inventory.queries import own_variant
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import ReadTx
from api.orders.downloads.links import Link, code_of
from api.orders.downloads.models import DigitalFile, DownloadRight
from api.orders.downloads.schemas import DigitalFileBody, Download
from api.orders.keys.errors import NotDigital
from api.orders.models import Order, OrderItem
from api.orders.queries.access import IS_BUYER, actor_values
from api.orders.queries.locked import RETURNED_UNITS

_FILE = select(DigitalFile.variant_id, DigitalFile.name, DigitalFile.bytes, DigitalFile.updated_at).where(
    DigitalFile.variant_id == bindparam("variant_id", type_=Uuid)
)
# Whoever has given units back has not the others of the line's file taken away.
UNITS_LEFT = OrderItem.quantity - RETURNED_UNITS > 0
_RIGHTS = (
    select(
        DownloadRight.order_item_id,
        DigitalFile.name,
        DigitalFile.bytes,
        (DownloadRight.most - DownloadRight.used).label("left"),
        DownloadRight.ends_at,
    )
    .join(OrderItem, OrderItem.order_item_id == DownloadRight.order_item_id)
    .join(Order, Order.order_id == OrderItem.order_id)
    .join(DigitalFile, DigitalFile.variant_id == OrderItem.variant_id)
    .where(
        Order.order_id == bindparam("order_id", type_=Uuid), IS_BUYER, UNITS_LEFT, DownloadRight.ends_at > func.now()
    )
)


@dataclass(frozen=True, slots=True)
class _Right:
    order_item_id: UUID
    name: str
    bytes: int
    left: int
    ends_at: datetime


async def require_digital(tx: ReadTx, actor: Actor, product_id: UUID, variant_id: UUID, *, lock: bool = False) -> None:
    """Raises: VariantNotFound, NotDigital."""
    variant = await own_variant(tx, actor, variant_id)
    if variant.product_id != product_id:
        raise VariantNotFound
    if variant.kind != "digital":
        raise NotDigital("Only digital products have files; offer another product with `kind` digital.")
    if lock:
        await own_variant(tx, actor, variant_id, lock=True)


async def file_of(tx: ReadTx, actor: Actor, product_id: UUID, variant_id: UUID) -> DigitalFileBody | None:
    """The file of the actor's variant. Raises: VariantNotFound, NotDigital."""
    await require_digital(tx, actor, product_id, variant_id)
    return await tx.first_as(DigitalFileBody, _FILE, {"variant_id": variant_id})


async def downloads_of(tx: ReadTx, ctx: Context, actor: Actor, order_id: UUID) -> dict[UUID, Download]:
    """Line -> its file with a new link, of the buyer's order; nothing for anybody else."""
    found = {}
    for right in await tx.all_as(_Right, _RIGHTS, {"order_id": order_id, **actor_values(actor)}):
        now = clock.now().replace(microsecond=0)
        expires = min(now + timedelta(seconds=ctx.settings.download_link_seconds), right.ends_at)
        link = Link(right.order_item_id, expires.replace(microsecond=0))
        found[right.order_item_id] = Download(
            name=right.name,
            bytes=right.bytes,
            url=f"/api/v1/downloads/{code_of(ctx.keys, link)}",
            expires_at=link.expires_at,
            left=right.left,
            ends_at=right.ends_at,
        )
    return found
