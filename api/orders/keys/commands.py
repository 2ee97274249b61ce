"""Fill pools, and give keys.

A key is one unit of stock, booked in the same commit, so a checkout holds and sells it as any unit and never sells one
that is not there. Which key it is is decided when it is given (`api/orders/digital`).
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.inventory.stocktake import change_stock
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.orders.downloads.models import DigitalFile
from api.orders.keys.errors import HasFile
from api.orders.keys.models import LicenceKey
from api.orders.keys.queries import pool_of
from api.orders.keys.schemas import AddedKeys
from api.orders.keys.sealing import digest, seal
from api.orders.returns.returnable import OrderLine


class PoolEmpty(Exception):
    """Fewer keys than were sold, which stock forbids."""


async def add_keys(ctx: Context, actor: Actor, product_id: UUID, variant_id: UUID, keys: Sequence[str]) -> AddedKeys:
    """Put keys into the pool of the actor's variant; those that are there already change nothing.

    Raises: VariantNotFound, NotDigital, HasFile.
    """
    rows = []
    for text in dict.fromkeys(keys):
        key_id = new_id()
        sealed, mark = seal(ctx.keys, key_id, text), digest(ctx.keys, text)
        rows.append({"key_id": key_id, "variant_id": variant_id, "sealed": sealed, "digest": mark})

    async def work(tx: Tx) -> AddedKeys:
        await pool_of(tx, actor, product_id, variant_id, lock=True)
        if await tx.first(_FILE, {"variant_id": variant_id}) is not None:
            raise HasFile("Put the keys into another variant, or into another product.")
        statement = insert(LicenceKey).values(rows).on_conflict_do_nothing(index_elements=["variant_id", "digest"])
        added = (await tx.execute(statement)).rowcount
        if added:
            await change_stock(tx, {variant_id: added})
            await outbox.emit(tx, "variant", variant_id, "KeysAdded", {"variantId": variant_id, "added": added})
        pool = await pool_of(tx, actor, product_id, variant_id)
        return AddedKeys(**pool.model_dump(), added=added)

    return await ctx.db.run(work)


async def give_keys(tx: Tx, lines: Iterable[OrderLine]) -> None:
    """Give each unit that is left of these lines a key; the transaction has locked their order, and given none before.

    Raises: PoolEmpty.
    """
    for line in sorted(lines, key=lambda line: (line.variant_id, line.order_item_id)):
        asked = {"line": line.order_item_id, "of": line.variant_id, "units": line.returnable}
        if (await tx.execute(_GIVE, asked)).rowcount != line.returnable:
            raise PoolEmpty


_FILE = select(DigitalFile.variant_id).where(DigitalFile.variant_id == bindparam("variant_id", type_=Uuid))
_NEXT = (
    select(LicenceKey.key_id)
    .where(LicenceKey.variant_id == bindparam("of", type_=Uuid), LicenceKey.order_item_id.is_(None))
    .order_by(LicenceKey.key_id)
    .limit(bindparam("units", type_=Integer))
    .with_for_update(skip_locked=True)
)
_GIVE = (
    update(LicenceKey)
    .where(LicenceKey.key_id.in_(_NEXT))
    .values(order_item_id=bindparam("line", type_=Uuid), delivered_at=func.now())
)
