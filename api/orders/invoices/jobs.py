"""Background work on invoices: those that no event has written."""

from api.kernel.context import Context
from api.kernel.jobs import Job
from api.orders.invoices.commands import write_documents
from api.orders.invoices.queries import late_orders

_BATCH = 200


async def write_late(ctx: Context) -> int:
    """Write the documents of orders whose event made none; returns how many."""
    async with ctx.db.read() as tx:
        orders = await late_orders(tx, _BATCH)
    return await write_documents(ctx, orders)


JOBS = (Job("late invoices", 300.0, write_late),)
