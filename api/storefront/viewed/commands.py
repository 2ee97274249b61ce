"""Read, clear, and switch off the list of what a shopper looked at."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from api.catalog.attributes.side_by_side import cards_on_sale
from api.events import stream
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import parse_id
from api.kernel.languages import Reader
from api.storefront.viewed.models import UnwatchedMember
from api.storefront.viewed.schemas import RecentlyViewed


async def recently_viewed(ctx: Context, actor: Actor, limit: int, reader: Reader) -> RecentlyViewed:
    """The latest products of the actor's behaviour events; none while Redis is unavailable."""
    if not await _is_kept(ctx, actor):
        return RecentlyViewed(enabled=False, products=[])
    newest = reversed(await stream.recent_products(ctx.redis, actor))
    ids = [known for product in newest if (known := parse_id(product)) is not None]
    async with ctx.db.read() as tx:
        cards = await cards_on_sale(tx, ids, reader)
    return RecentlyViewed(enabled=True, products=[cards[one] for one in ids if one in cards][:limit])


async def clear(ctx: Context, actor: Actor) -> None:
    """Forget what the actor looked at. Raises: RedisError."""
    await stream.forget_recent(ctx.redis, actor)


async def choose(ctx: Context, actor: Actor, *, enabled: bool) -> None:
    """Keep what the actor looks at from now on, or nothing; what was kept is forgotten. Raises: RedisError."""
    if actor.user_id is not None:
        await ctx.db.run(lambda tx: _choose(tx, actor, enabled=enabled))
    await stream.keep_recent(ctx.redis, actor, keep=enabled)


async def _choose(tx: Tx, actor: Actor, *, enabled: bool) -> None:
    if enabled:
        await tx.execute(delete(UnwatchedMember).where(UnwatchedMember.user_id == actor.user_id))
    else:
        await tx.execute(insert(UnwatchedMember).values(user_id=actor.user_id).on_conflict_do_nothing())


async def _is_kept(ctx: Context, actor: Actor) -> bool:
    """Redis may have lost a member's choice: then it hears it again."""
    if actor.user_id is None:
        return await stream.keeps_recent(ctx.redis, actor)
    chosen = select(UnwatchedMember.user_id).where(UnwatchedMember.user_id == actor.user_id)
    async with ctx.db.read() as tx:
        unwatched = await tx.first(chosen) is not None
    if unwatched and await stream.keeps_recent(ctx.redis, actor):
        await stream.keep_recent(ctx.redis, actor, keep=False)
    return not unwatched
