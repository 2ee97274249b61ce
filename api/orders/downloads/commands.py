"""Take a seller's file, let buyers download it, and give them the right to.

A file is had as often as it is asked for. It has so much stock that it never runs out: a delivery puts back what was
sold.
"""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import ARRAY, Interval, String, Uuid, any_, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from api.inventory.stocktake import change_stock
from api.kernel import clock, outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.media.store.interface import StoreFailed
from api.media.store.opening import store_of
from api.orders.downloads.errors import (
    DownloadOver,
    DownloadsUsedUp,
    EmptyFile,
    FilesSilent,
    HasKeys,
    LinkExpired,
    LinkNotValid,
)
from api.orders.downloads.links import link_of
from api.orders.downloads.models import DigitalFile, DownloadRight
from api.orders.downloads.queries import UNITS_LEFT, require_digital
from api.orders.keys.queries import has_keys
from api.orders.models import OrderItem
from api.orders.returns.returnable import OrderLine

FILES = "files/"
# More than anybody sells at a time.
ENDLESS = 1_000_000
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Taken:
    """What somebody downloads."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Had:
    name: str
    object_key: str
    used_up: bool
    over: bool


async def put_file(ctx: Context, actor: Actor, place: tuple[UUID, UUID], name: str, content: bytes) -> None:
    """Make this the file of the actor's variant, `place` (product, variant); who bought it gets it from then on.

    Raises: VariantNotFound, NotDigital, HasKeys, EmptyFile, FilesSilent.
    """
    if not content:
        raise EmptyFile("Send the file as the body of the request.")
    product_id, variant_id = place
    async with ctx.db.read() as tx:
        await require_digital(tx, actor, product_id, variant_id)
    key = f"{FILES}{variant_id.hex}/{secrets.token_hex(16)}"
    try:
        await asyncio.to_thread(store_of(ctx).put, key, content)
    except StoreFailed as error:
        raise FilesSilent("The store of files does not answer; send it again.") from error

    async def work(tx: Tx) -> str | None:
        await require_digital(tx, actor, product_id, variant_id, lock=True)
        if await has_keys(tx, variant_id):
            raise HasKeys("Offer the file as another variant, or as another product.")
        before: str | None = await tx.scalar(_KEY, {"variant_id": variant_id})
        values = {"name": name, "object_key": key, "bytes": len(content)}
        put = insert(DigitalFile).values(variant_id=variant_id, **values)
        changed = {**values, "updated_at": func.now()}
        await tx.execute(put.on_conflict_do_update(index_elements=["variant_id"], set_=changed))
        if before is None:
            await change_stock(tx, {variant_id: ENDLESS})
        await outbox.emit(tx, "variant", variant_id, "FileChanged", {"variantId": variant_id, "bytes": len(content)})
        return before

    replaced = await ctx.db.run(work)
    if replaced is not None:
        await _delete(ctx, [replaced])


async def grant_downloads(tx: Tx, ctx: Context, lines: Sequence[OrderLine]) -> list[OrderLine]:
    """Give the buyer of each line whose variant is a file the right to download it; returns the other lines. The
    transaction has locked their order."""
    others, sold = [], dict[UUID, int]()
    for line in lines:
        most = ctx.settings.downloads_per_unit * line.returnable
        age = timedelta(days=ctx.settings.download_days)
        asked = {"line": line.order_item_id, "of": line.variant_id, "most": most, "age": age}
        if (await tx.execute(_GRANT, asked)).rowcount:
            sold[line.variant_id] = sold.get(line.variant_id, 0) + line.returnable
        else:
            others.append(line)
    await change_stock(tx, sold)
    return others


async def download(ctx: Context, code: str) -> Taken:
    """The file of a link, and one download fewer.

    Raises: LinkNotValid, LinkExpired, DownloadOver, DownloadsUsedUp, FilesSilent; then it counts as none.
    """
    link = link_of(ctx.keys, code)
    if link is None:
        raise LinkNotValid
    if link.expires_at <= clock.now():
        raise LinkExpired("Open your order, and take the new link that stands there.")
    asked = {"line": link.order_item_id}
    for _ in range(2):  # a file that is replaced meanwhile is read again
        async with ctx.db.read() as tx:
            had = _require_right(await tx.first_as(_Had, _HAD, asked))
        content = await _content(ctx, had.object_key)
        if content is not None:
            break
    else:
        raise FilesSilent("The store of files does not have it just now.")
    if not (await ctx.db.run(lambda tx: tx.execute(_TAKE, asked))).rowcount:
        async with ctx.db.read() as tx:
            _require_right(await tx.first_as(_Had, _HAD, asked))
        raise DownloadsUsedUp(_USED_UP)
    return Taken(had.name, content)


_USED_UP = "Ask the seller if you need it once more."


def _require_right(had: _Had | None) -> _Had:
    """Raises: LinkNotValid, DownloadOver, DownloadsUsedUp."""
    if had is None:
        raise LinkNotValid
    if had.over:
        raise DownloadOver("It was returned, or its time is over.")
    if had.used_up:
        raise DownloadsUsedUp(_USED_UP)
    return had


async def _content(ctx: Context, key: str) -> bytes | None:
    try:
        return await asyncio.to_thread(store_of(ctx).get, key)
    except StoreFailed as error:
        raise FilesSilent("The store of files does not answer.") from error


async def _delete(ctx: Context, keys: Iterable[str]) -> None:
    """What cannot be deleted now, `delete_orphans` finds."""
    try:
        await asyncio.to_thread(store_of(ctx).delete, list(keys))
    except StoreFailed:
        return


async def delete_orphans(ctx: Context) -> int:
    """Delete old objects that are no variant's file, which an upload left that died, or was replaced; returns how
    many."""
    before = clock.now() - timedelta(seconds=ctx.settings.media_orphan_seconds)
    keys, total = await asyncio.to_thread(partial(_older, ctx, before)), 0
    for start in range(0, len(keys), _BATCH):
        some = keys[start : start + _BATCH]
        async with ctx.db.read() as tx:
            there = {row[0] for row in await tx.all(_THERE, {"keys": some})}
        orphans = [key for key in some if key not in there]
        await _delete(ctx, orphans)
        total += len(orphans)
    return total


def _older(ctx: Context, before: datetime) -> list[str]:
    return [found.key for found in store_of(ctx).listed(FILES) if found.put_at <= before]


_KEY = select(DigitalFile.object_key).where(DigitalFile.variant_id == bindparam("variant_id", type_=Uuid))
_THERE = select(DigitalFile.object_key).where(DigitalFile.object_key == any_(bindparam("keys", type_=ARRAY(String))))
_GRANT = insert(DownloadRight).from_select(
    ["order_item_id", "most", "ends_at"],
    select(
        bindparam("line", type_=Uuid),
        bindparam("most"),
        func.now() + bindparam("age", type_=Interval),
    ).where(select(literal(1)).where(DigitalFile.variant_id == bindparam("of", type_=Uuid)).exists()),
)
_LINE = bindparam("line", type_=Uuid)
_USED = DownloadRight.used >= DownloadRight.most
_HAD = (
    select(
        DigitalFile.name,
        DigitalFile.object_key,
        _USED.label("used_up"),
        ((DownloadRight.ends_at <= func.now()) | ~UNITS_LEFT).label("over"),
    )
    .join(OrderItem, OrderItem.order_item_id == DownloadRight.order_item_id)
    .join(DigitalFile, DigitalFile.variant_id == OrderItem.variant_id)
    .where(DownloadRight.order_item_id == _LINE)
)
_TAKE = (
    update(DownloadRight)
    .where(DownloadRight.order_item_id == _LINE, ~_USED, DownloadRight.ends_at > func.now())
    .values(used=DownloadRight.used + 1)
)
