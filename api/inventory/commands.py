"""Changes of stock outside a checkout: expired reservations, and sellers' adjustments."""

from __future__ import annotations

from api.inventory import statements
from api.kernel.context import Context
from api.kernel.statement import OPEN_GATE, compose

SWEEP_BATCH = 100


async def release_expired(ctx: Context) -> int:
    """Give back reservations past their time, each with its record; returns how many. A checkout that still wanted one finds it gone."""
    released = 0
    while True:
        statement, values = compose([OPEN_GATE, statements.release_due(SWEEP_BATCH)], "(SELECT count(*) FROM kept) AS released")
        row = await ctx.db.once(statement, values)
        released += row.released if row else 0
        if row is None or row.released < SWEEP_BATCH:
            return released
