"""Deletes the pictures that nothing shows, and objects that no row names.

A row goes first and its objects after the commit; a name never comes again, so what is deleted late is nobody's. Of an
upload that is going on only the age of its objects tells, which is why a young object is never an orphan.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ARRAY, Integer, Interval, String, any_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from api.kernel import clock
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.keeping import Keeper, Unshown
from api.media.models import Picture, PictureUse
from api.media.naming import DRAWN, PICTURES, keys_of, name_of_key
from api.media.queries import names_there
from api.media.store.interface import ObjectStore
from api.media.store.opening import store_of

BATCH = 100
_DRAWN_KEPT = timedelta(days=30)

_AGE = bindparam("age", type_=Interval)
_NAMED = any_(bindparam("names", type_=ARRAY(String)))
_RECENT = or_(PictureUse.released_at.is_(None), PictureUse.released_at > func.now() - _AGE)
_UNSHOWN = (
    select(Picture.name)
    .where(
        ~Picture.kept,
        Picture.created_at <= func.now() - _AGE,
        ~exists().where(PictureUse.name == Picture.name, _RECENT),
    )
    .order_by(Picture.created_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True, of=Picture)
)
_SHOWN = aliased(PictureUse)
# Read after the rows are locked: whoever was about to show one of them has done so, or waits and hears that it is gone.
_OWNERS = (
    select(Picture.name, func.array_remove(func.array_agg(PictureUse.owner_id), None).label("owners"))
    .join(PictureUse, PictureUse.name == Picture.name, isouter=True)
    .where(Picture.name == _NAMED, ~exists().where(_SHOWN.name == Picture.name, _SHOWN.released_at.is_(None)))
    .group_by(Picture.name)
)
_KEEP = update(Picture).where(Picture.name == _NAMED).values(kept=True)
_DROP_USES = delete(PictureUse).where(PictureUse.name == _NAMED)
_DROP = delete(Picture).where(Picture.name == _NAMED)


class Collector:
    """Knows everything that keeps pictures."""

    def __init__(self, keepers: Collection[Keeper]) -> None:
        self._keepers = keepers

    async def pictures(self, ctx: Context) -> int:
        """Delete pictures that nothing has shown for the time of the settings; returns how many."""
        age, total = timedelta(seconds=ctx.settings.media_orphan_seconds), 0
        while True:
            looked, dropped = await ctx.db.run(partial(self._some, age=age))
            objects = [key for name in dropped for key in keys_of(name)]
            if objects:
                await asyncio.to_thread(store_of(ctx).delete, objects)
            total += len(dropped)
            if looked < BATCH:
                return total

    async def objects(self, ctx: Context) -> int:
        """Delete old objects of names that have no row, which an upload left that died; returns how many names."""
        store = store_of(ctx)
        before = clock.now() - timedelta(seconds=ctx.settings.media_orphan_seconds)
        names, total = await asyncio.to_thread(_old_names, store, before), 0
        for start in range(0, len(names), BATCH):
            some = names[start : start + BATCH]
            async with ctx.db.read() as tx:
                there = set((await names_there(tx, some, ())).values())
            orphans = [name for name in some if name not in there]
            if orphans:
                await asyncio.to_thread(store.delete, [key for name in orphans for key in keys_of(name)])
            total += len(orphans)
        return total

    async def drawings(self, ctx: Context) -> int:
        """Delete old sizes of drawn pictures, of titles that are no more among them; returns how many. What is asked
        for again is drawn again."""
        return await asyncio.to_thread(_delete_old, store_of(ctx), clock.now() - _DRAWN_KEPT)

    async def _some(self, tx: Tx, age: timedelta) -> tuple[int, Sequence[str]]:
        """How many were looked at, and the names whose rows are deleted."""
        locked = [str(row[0]) for row in await tx.all(_UNSHOWN, {"age": age, "most": BATCH})]
        if not locked:
            return 0, []
        unshown = await tx.all_as(Unshown, _OWNERS, {"names": locked})
        kept: set[str] = set()
        for keeper in self._keepers:
            kept.update(await keeper(tx, unshown))
        dropped = [one.name for one in unshown if one.name not in kept]
        if kept:
            await tx.execute(_KEEP, {"names": sorted(kept)})
        if dropped:
            await tx.execute(_DROP_USES, {"names": dropped})
            await tx.execute(_DROP, {"names": dropped})
        return len(locked), dropped


def _delete_old(store: ObjectStore, before: datetime) -> int:
    keys = [found.key for found in store.listed(DRAWN) if found.put_at <= before]
    for start in range(0, len(keys), BATCH):
        store.delete(keys[start : start + BATCH])
    return len(keys)


def _old_names(store: ObjectStore, before: datetime) -> list[str]:
    """Names all of whose objects were put before then."""
    newest: dict[str, datetime] = {}
    for found in store.listed(PICTURES):
        name = name_of_key(found.key)
        if name is not None:
            newest[name] = max(found.put_at, newest.get(name, found.put_at))
    return sorted(name for name, put_at in newest.items() if put_at <= before)
