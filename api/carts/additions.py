"""Additions to carts, committed in batches: those that come together share one round trip and one commit.

A batch locks its carts, adds what is on sale and fits, and reads the carts for the answers. Additions to one cart never
share a batch and keep their order (`api/kernel/batching.py`), so each is judged by what the one before it left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from psycopg.errors import UniqueViolation

from api.carts.changes import announce, name_of
from api.carts.queries import StoredCart, carts_query, lock_query
from api.carts.schemas import MAX_QUANTITY
from api.carts.statements import ADDED, Addition, add_part, asked_part
from api.catalog.statements import on_sale_part
from api.kernel.batching import Batches
from api.kernel.context import Context
from api.kernel.db import Database, Tx, all_as
from api.kernel.statement import compose

MAX_LINES = 200
# The most additions of one statement.
BATCH = 32
# The answers of a batch go out together, so those who got them come again at about the same time: while CROWD fewer
# are here than were in the batch before, it waits for them, at most for PAUSE seconds.
PAUSE, CROWD = 0.002, 2


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an addition. `cart`: as it is now; None, as `cart_item_id`, when nothing was added."""

    verdict: str
    cart_item_id: UUID | None
    cart: StoredCart | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of ADDED."""

    verdict: str
    cart_id: UUID
    cart_item_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Asked:
    ctx: Context
    addition: Addition


async def add(ctx: Context, addition: Addition) -> Added:
    """Add the units, or nothing; returns when it is committed."""
    queue = _queues.get(ctx.db)
    if queue is None:
        queue = _queues[ctx.db] = Batches(
            _add, keys=_owner, divisible=_undone, size=BATCH, apart=True, pause=PAUSE, crowd=CROWD
        )
    added = await queue.submit(_Asked(ctx, addition))
    if added.cart is not None:
        announce(ctx, [name_of(addition.actor)])
    return added


# Of one process: its database is opened once.
_queues: WeakKeyDictionary[Database, Batches[_Asked, Added]] = WeakKeyDictionary()


async def _add(batch: Sequence[_Asked]) -> list[Added]:
    ctx, additions = batch[0].ctx, [asked.addition for asked in batch]
    actors = [addition.actor for addition in additions]
    parts = [asked_part(additions), on_sale_part(), add_part(MAX_QUANTITY, MAX_LINES)]
    statement, values = compose(parts, ADDED)

    async def work(tx: Tx) -> tuple[list[_Row], dict[UUID, StoredCart]]:
        _, rows, carts = await tx.batch(lock_query(actors), all_as(_Row, statement, values), carts_query(actors))
        return rows, carts

    try:
        rows, carts = await ctx.db.run_alone(work)
    except UniqueViolation:
        # Another process has made the cart of one of them since the carts were locked: now it is there to be locked.
        rows, carts = await ctx.db.run_alone(work)
    return [Added(row.verdict, row.cart_item_id, carts.get(row.cart_id)) for row in rows]


def _owner(asked: _Asked) -> list[str]:
    return [asked.addition.actor.key]


def _undone(error: Exception) -> bool:
    """Whether the server says that it did nothing. After a lost connection nobody knows."""
    return isinstance(error, psycopg.Error) and error.sqlstate is not None
