"""Say what the law asks for of a product's safety."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert

from api.catalog.commands.change import lock_own
from api.catalog.commands.keeping import Change, keep_versions
from api.catalog.models import Product
from api.catalog.pages import product_tag
from api.catalog.safety.models import ProductSafety
from api.catalog.schemas import Safety
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.feeds import announce_soon
from api.kernel.outbox import Event


async def set_safety(ctx: Context, actor: Actor, product_id: UUID, body: Safety) -> None:
    """Replace the safety data of the actor's own product, as a version of it. Raises: ProductNotFound."""
    data = body.model_dump(mode="json", by_alias=True)

    async def work(tx: Tx) -> None:
        version = (await lock_own(tx, actor, product_id, None)).version + 1
        await write_safety(tx, product_id, data)
        values = {"version": version, "updated_at": func.now()}
        await tx.execute(update(Product).where(Product.product_id == product_id).values(values))
        payload = {"sellerId": actor.user_id, "version": version, "fields": ["safety"]}
        changed = Event("product", product_id, "ProductChanged", payload)
        await keep_versions(tx, Change.by(actor), [product_id], changed)

    await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))


async def write_safety(tx: Tx, product_id: UUID, data: Mapping[str, object]) -> None:
    """Set the safety data of a product that the caller has locked; empty takes them away."""
    if not data:
        await tx.execute(delete(ProductSafety).where(ProductSafety.product_id == product_id))
        return
    statement = insert(ProductSafety).values(product_id=product_id, data=data)
    changed = {"data": data, "updated_at": func.now()}
    await tx.execute(statement.on_conflict_do_update(index_elements=["product_id"], set_=changed))
