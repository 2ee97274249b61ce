"""The rows of exchanges, and the claim of one on the order whose units it exchanges.

Meanwhile nothing else changes that order, as while an edit of it is paid for: its return can be asked for when the new
order is paid, whatever happens in between.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Float, Uuid, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import aliased
from sqlalchemy.sql import Executable

from api.kernel.db import Tx
from api.orders.exchanges.models import OrderExchange
from api.orders.models import Order


@dataclass(frozen=True, slots=True)
class StoredExchange:
    """An exchange that is asked for. `back`: the request for its return."""

    exchange_id: UUID
    order_id: UUID
    back: dict[str, object]
    actor_kind: str
    user_id: UUID | None
    session_id: str | None
    idempotency_key: str


async def claim(tx: Tx, exchange: StoredExchange, seconds: float) -> None:
    """Leave the order, which the transaction has locked and found free, to the exchange. `seconds`: of its lease."""
    values = {
        "exchange_id": exchange.exchange_id,
        "order_id": exchange.order_id,
        "back": exchange.back,
        "actor_kind": exchange.actor_kind,
        "user_id": exchange.user_id,
        "session_id": exchange.session_id,
        "idempotency_key": exchange.idempotency_key,
        "lease_expires_at": func.now() + timedelta(seconds=seconds),
    }
    await tx.execute(insert(OrderExchange).values(values))
    claimed = update(Order).where(Order.order_id == exchange.order_id, Order.edited_by.is_(None))
    await tx.execute(claimed.values(edited_by=exchange.exchange_id, updated_at=func.now()))


async def lock(tx: Tx, exchange_id: UUID) -> StoredExchange | None:
    """The exchange, locked until the transaction ends; None when it is over."""
    return await tx.first_as(StoredExchange, _LOCK, {"exchange_id": exchange_id})


async def release(tx: Tx, exchange: StoredExchange) -> None:
    """Let the order be changed again."""
    mine = (Order.order_id == exchange.order_id, Order.edited_by == exchange.exchange_id)
    await tx.execute(update(Order).where(*mine).values(edited_by=None, updated_at=func.now()))


async def complete(tx: Tx, exchange: StoredExchange, exchange_order_id: UUID) -> None:
    """Write down that its return was asked for."""
    done = update(OrderExchange).where(OrderExchange.exchange_id == exchange.exchange_id)
    values = {"point": "completed", "exchange_order_id": exchange_order_id, "updated_at": func.now()}
    await tx.execute(done.values(values))


async def forget(tx: Tx, exchange: StoredExchange) -> None:
    """Delete one of which nothing came."""
    await tx.execute(delete(OrderExchange).where(OrderExchange.exchange_id == exchange.exchange_id))


async def taken_over(tx: Tx, seconds: float) -> StoredExchange | None:
    """The exchange whose lease expired first, with a new lease; None when there is none."""
    return await tx.first_as(StoredExchange, _TAKE_OVER, {"seconds": seconds})


_COLUMNS = (
    OrderExchange.exchange_id,
    OrderExchange.order_id,
    OrderExchange.back,
    OrderExchange.actor_kind,
    OrderExchange.user_id,
    OrderExchange.session_id,
    OrderExchange.idempotency_key,
)
_LOCK = (
    select(*_COLUMNS)
    .where(OrderExchange.exchange_id == bindparam("exchange_id", type_=Uuid), OrderExchange.point == "asked")
    .with_for_update()
)


def _take_over() -> Executable:
    due = aliased(OrderExchange)
    oldest = (
        select(due.exchange_id)
        .where(due.point == "asked", due.lease_expires_at < func.now())
        .order_by(due.lease_expires_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(OrderExchange)
        .where(OrderExchange.exchange_id == oldest.scalar_subquery())
        .values(
            lease_expires_at=func.now() + bindparam("seconds", type_=Float) * timedelta(seconds=1),
            attempts=OrderExchange.attempts + 1,
            updated_at=func.now(),
        )
        .returning(*_COLUMNS)
    )


_TAKE_OVER = _take_over()
