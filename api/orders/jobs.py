"""Background work on orders: pending refunds, the ranking of best sellers, and lines that have no parcel."""

from api.catalog.commands.sales import set_units_sold
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.jobs import Job, in_batches
from api.orders.commands import claims
from api.orders.parcels.repair import fill_parcels
from api.orders.popularity import units_sold
from api.orders.refunds import settle_refunds

# Products below these ranks have almost no sales and count as unsold.
MAX_RANKED = 100_000


async def rank_products(ctx: Context) -> int:
    """Update `product_counters.units_sold_90d`; returns how many products changed."""
    async with ctx.db.read() as read:
        units = dict(await units_sold(read, MAX_RANKED))

    async def work(tx: Tx) -> int:
        return await set_units_sold(tx, units)

    return await ctx.db.run(work)


async def forget_expired_tokens(ctx: Context) -> int:
    """Delete expired mailed tokens in batches; returns how many."""
    return await in_batches(ctx, 1_000, claims.forget_expired)


JOBS = (
    Job("refund settler", 2.0, settle_refunds, calms=True),
    Job("best sellers", 60.0, rank_products),
    Job("lines without parcels", 60.0, fill_parcels),
    Job("expired order tokens", 600.0, forget_expired_tokens),
)
