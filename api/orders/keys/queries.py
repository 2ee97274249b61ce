"""Reads of licence keys: a seller sees how many there are, their buyer what they are."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from api.inventory.errors import VariantNotFound
from api.inventory.queries import own_variant
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, Tx
from api.kernel.security import Keys
from api.orders.keys.errors import NotDigital
from api.orders.keys.models import KeyWithdrawal, LicenceKey
from api.orders.keys.schemas import KeyPool, KeyPoolOverview, Withdrawal
from api.orders.keys.sealing import unseal
from api.orders.models import Order, OrderItem
from api.orders.queries.access import IS_BUYER, actor_values

_KEYS = (
    select(LicenceKey.key_id, LicenceKey.sealed, OrderItem.order_item_id)
    .join(OrderItem, OrderItem.order_item_id == LicenceKey.order_item_id)
    .join(Order, Order.order_id == OrderItem.order_id)
    .where(Order.order_id == bindparam("order_id", type_=Uuid), IS_BUYER)
    .order_by(OrderItem.order_item_id, LicenceKey.key_id)
)
# Nobody's: the pool.
IN_POOL = LicenceKey.order_item_id.is_(None) & LicenceKey.withdrawal_id.is_(None)
_COUNTS = select(
    func.count().filter(IN_POOL).label("undelivered"),
    func.count().filter(LicenceKey.order_item_id.is_not(None)).label("delivered"),
    func.count().filter(LicenceKey.withdrawal_id.is_not(None)).label("withdrawn"),
).where(LicenceKey.variant_id == bindparam("variant_id", type_=Uuid))


@dataclass(frozen=True, slots=True)
class _Counts:
    undelivered: int
    delivered: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class _Delivered:
    key_id: UUID
    sealed: bytes
    order_item_id: UUID


async def pool_of(tx: ReadTx, actor: Actor, product_id: UUID, variant_id: UUID, *, lock: bool = False) -> KeyPool:
    """The pool of the actor's variant; with `lock` nobody changes it before the end of the transaction.

    Raises: VariantNotFound, NotDigital.
    """
    variant = await own_variant(tx, actor, variant_id)
    if variant.product_id != product_id:
        raise VariantNotFound
    if variant.kind != "digital":
        raise NotDigital("Only digital products have keys; offer another product with `kind` digital.")
    if lock:
        variant = await own_variant(tx, actor, variant_id, lock=True)
    counts = await tx.first_as(_Counts, _COUNTS, {"variant_id": variant_id})
    assert counts is not None
    return KeyPool(
        variant_id=variant_id,
        available=variant.stock,
        undelivered=counts.undelivered,
        delivered=counts.delivered,
        withdrawn=counts.withdrawn,
    )


_WITHDRAWALS = (
    select(
        KeyWithdrawal.created_at.label("withdrawn_at"),
        KeyWithdrawal.withdrawn_by,
        KeyWithdrawal.keys,
        KeyWithdrawal.reason,
    )
    .where(KeyWithdrawal.variant_id == bindparam("variant_id", type_=Uuid))
    .order_by(KeyWithdrawal.created_at.desc(), KeyWithdrawal.withdrawal_id.desc())
    .limit(20)
)


async def overview(tx: ReadTx, actor: Actor, product_id: UUID, variant_id: UUID) -> KeyPoolOverview:
    """The pool of the actor's variant, and what was withdrawn of it. Raises: as `pool_of`."""
    pool = await pool_of(tx, actor, product_id, variant_id)
    withdrawals = await tx.all_as(Withdrawal, _WITHDRAWALS, {"variant_id": variant_id})
    return KeyPoolOverview(**pool.model_dump(), withdrawals=list(withdrawals))


async def keys_of(tx: ReadTx, keys: Keys, actor: Actor, order_id: UUID) -> dict[UUID, list[str]]:
    """Line -> its keys, of the buyer's order; nothing for anybody else."""
    found: dict[UUID, list[str]] = {}
    for row in await tx.all_as(_Delivered, _KEYS, {"order_id": order_id, **actor_values(actor)}):
        found.setdefault(row.order_item_id, []).append(unseal(keys, row.key_id, row.sealed))
    return found


_HAS_KEYS = select(LicenceKey.key_id).where(LicenceKey.variant_id == bindparam("variant_id", type_=Uuid)).limit(1)


async def has_keys(tx: Tx, variant_id: UUID) -> bool:
    """Whether there are keys of a variant that was locked for its actor."""
    return await tx.first(_HAS_KEYS, {"variant_id": variant_id}) is not None
