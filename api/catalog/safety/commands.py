"""Say what the law asks for of a product's safety."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from api.catalog.errors import ProductNotFound
from api.catalog.models import Product
from api.catalog.pages import product_tag
from api.catalog.safety.models import ProductSafety
from api.catalog.schemas import Safety
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.feeds import announce_soon


async def set_safety(ctx: Context, actor: Actor, product_id: UUID, body: Safety) -> None:
    """Replace the safety data of the actor's own product. Raises: ProductNotFound."""
    own = (Product.product_id == product_id, Product.seller_id == actor.user_id, Product.deleted_at.is_(None))
    data = body.model_dump(mode="json", by_alias=True)

    async def work(tx: Tx) -> None:
        if await tx.first(select(Product.product_id).where(*own).with_for_update(key_share=True)) is None:
            raise ProductNotFound("You sell no product with this id.")
        statement = insert(ProductSafety).values(product_id=product_id, data=data)
        changed = {"data": data, "updated_at": func.now()}
        await tx.execute(statement.on_conflict_do_update(index_elements=["product_id"], set_=changed))
        await outbox.emit(tx, "product", product_id, "ProductSafetyChanged", {"sellerId": actor.user_id})

    await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))
