"""Stock is held for a checkout as long as somebody goes on with it: its buyer, who asks again, or a process."""

from api.checkout.statements import holding_part
from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.statement import compose


async def keep_stock(ctx: Context, actor: Actor, key: str) -> None:
    """The reservations of the actor's checkout of this key last `reservation_seconds` from now, up to their limit, if
    less than half of that is left. Those that expired stay so."""
    settings = ctx.settings
    extended = stock.extend(settings.reservation_seconds, settings.reservation_limit_seconds)
    statement, values = compose([holding_part(actor.key, key), extended], stock.EXTENDED)
    await ctx.db.run_alone(lambda tx: tx.scalar(statement, values))
