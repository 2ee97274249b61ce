"""Fill pools, take keys out of them, and give keys.

A key is one unit of stock, booked in the same commit, so a checkout holds and sells it as any unit and never sells one
that is not there. Which key it is is decided when it is given (`api/orders/digital`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Integer, LargeBinary, Uuid, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.inventory.stocktake import change_stock
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError
from api.kernel.ids import new_id
from api.orders.downloads.models import DigitalFile
from api.orders.keys.errors import HasFile, KeysAreSold, KeysNotInPool
from api.orders.keys.models import KeyWithdrawal, LicenceKey
from api.orders.keys.queries import IN_POOL, pool_of
from api.orders.keys.schemas import AddedKeys, WithdrawKeys, WithdrawnKeys
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


async def withdraw_keys(ctx: Context, actor: Actor, place: tuple[UUID, UUID], request: WithdrawKeys) -> WithdrawnKeys:
    """Take keys out of the pool of the actor's variant, `place` (product, variant), for ever; those that were withdrawn
    before change nothing. Which keys orders will get is not decided yet, so as many as are sold stay.

    Raises: VariantNotFound, NotDigital, KeysNotInPool, KeysAreSold; then none is withdrawn.
    """
    product_id, variant_id = place
    marks = [digest(ctx.keys, text) for text in request.keys]

    async def work(tx: Tx) -> WithdrawnKeys:
        pool = await pool_of(tx, actor, product_id, variant_id, lock=True)
        found = await tx.all_as(_Known, _NAMED, {"variant_id": variant_id, "digests": list(set(marks))})
        _require_in_pool(marks, {key.digest: key for key in found})
        taken = [key.key_id for key in found if not key.withdrawn]
        if len(taken) > pool.available:
            raise KeysAreSold(
                f"{pool.available} of these keys can be withdrawn now: the others are for orders that are not delivered"
                " yet. Name fewer, or add other keys first.",
                extra={"available": pool.available},
            )
        if taken:
            await _withdraw(tx, actor, variant_id, taken, request.reason)
            pool = await pool_of(tx, actor, product_id, variant_id)
        return WithdrawnKeys(**pool.model_dump(), taken=len(taken))

    return await ctx.db.run(work)


async def _withdraw(tx: Tx, actor: Actor, variant_id: UUID, key_ids: Sequence[UUID], reason: str | None) -> None:
    withdrawal_id = new_id()
    row = {
        "withdrawal_id": withdrawal_id,
        "variant_id": variant_id,
        "withdrawn_by": actor.user_id,
        "keys": len(key_ids),
        "reason": reason,
    }
    await tx.execute(insert(KeyWithdrawal).values(row))
    await tx.execute(_WITHDRAW, {"withdrawal": withdrawal_id, "taken": list(key_ids)})
    await change_stock(tx, {variant_id: -len(key_ids)})
    payload = {"variantId": variant_id, "withdrawalId": withdrawal_id, "withdrawn": len(key_ids)}
    await outbox.emit(tx, "variant", variant_id, "KeysWithdrawn", payload)


def _require_in_pool(marks: Sequence[bytes], known: Mapping[bytes, "_Known"]) -> None:
    """Raises: KeysNotInPool, which names each by its place: no answer and no log repeats a key."""
    errors = []
    for index, mark in enumerate(marks):
        key = known.get(mark)
        if key is None or key.delivered:
            message = "the variant has no such key" if key is None else "a buyer has it"
            errors.append(FieldError(pointer=f"/keys/{index}", message=message))
    if errors:
        raise KeysNotInPool("Leave out the keys named in `errors`.", errors=errors)


async def give_keys(tx: Tx, lines: Iterable[OrderLine]) -> None:
    """Give each unit that is left of these lines a key; the transaction has locked their order, and given none before.

    Raises: PoolEmpty.
    """
    for line in sorted(lines, key=lambda line: (line.variant_id, line.order_item_id)):
        asked = {"line": line.order_item_id, "of": line.variant_id, "units": line.returnable}
        if (await tx.execute(_GIVE, asked)).rowcount != line.returnable:
            raise PoolEmpty


@dataclass(frozen=True, slots=True)
class _Known:
    """A key of the variant that a request names."""

    key_id: UUID
    digest: bytes
    delivered: bool
    withdrawn: bool


_NAMED = (
    select(
        LicenceKey.key_id,
        LicenceKey.digest,
        LicenceKey.order_item_id.is_not(None).label("delivered"),
        LicenceKey.withdrawal_id.is_not(None).label("withdrawn"),
    )
    .where(
        LicenceKey.variant_id == bindparam("variant_id", type_=Uuid),
        LicenceKey.digest == any_(bindparam("digests", type_=ARRAY(LargeBinary))),
    )
    .order_by(LicenceKey.key_id)
    .with_for_update()
)
_WITHDRAW = (
    update(LicenceKey)
    .where(LicenceKey.key_id == any_(bindparam("taken", type_=ARRAY(Uuid))))
    .values(withdrawal_id=bindparam("withdrawal", type_=Uuid))
)
_FILE = select(DigitalFile.variant_id).where(DigitalFile.variant_id == bindparam("variant_id", type_=Uuid))
_NEXT = (
    select(LicenceKey.key_id)
    .where(LicenceKey.variant_id == bindparam("of", type_=Uuid), IN_POOL)
    .order_by(LicenceKey.key_id)
    .limit(bindparam("units", type_=Integer))
    .with_for_update(skip_locked=True)
)
_GIVE = (
    update(LicenceKey)
    .where(LicenceKey.key_id.in_(_NEXT))
    .values(order_item_id=bindparam("line", type_=Uuid), delivered_at=func.now())
)
