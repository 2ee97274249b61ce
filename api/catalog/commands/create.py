"""Put a product on sale."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert

from api.catalog.approval.judging import settle, wanted_status
from api.catalog.attributes.queries import require_values
from api.catalog.commands.fields import column_values
from api.catalog.commands.identity import identify, identity_of, saved
from api.catalog.commands.images import FileRow, Named, named, save_images, take_in_images
from api.catalog.commands.keeping import Change, keep_versions
from api.catalog.commands.matching import judged, plan_of, require_no_stock
from api.catalog.commands.variants import save_variants
from api.catalog.kinds import require_kind
from api.catalog.kits.commands import save_components
from api.catalog.languages.commands import language_values
from api.catalog.models import Product
from api.catalog.pages import product_tag
from api.catalog.queries.categories import require_category
from api.catalog.schemas import ProductIn
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.feeds import announce_soon
from api.kernel.ids import new_id
from api.kernel.outbox import Event


async def create_product(ctx: Context, actor: Actor, body: ProductIn) -> UUID:
    """The new product's id. Its variants (one, when none is named) start with the stock they name, or none.

    Raises: CategoryNotFound (404); DuplicateProduct, SkuTaken, GtinTaken (409); ValidationFailed for values that the
    category defines otherwise, for a picture that is none, and for a status that is not a seller's to set.
    """
    taken = await take_in_images(ctx, body.images)
    product_id = await saved(ctx, lambda tx: create_in(tx, ctx, actor, body, images=taken))
    await announce_soon(ctx.redis, (product_tag(product_id),))
    return product_id


async def create_in(
    tx: Tx,
    ctx: Context,
    actor: Actor,
    body: ProductIn,
    *,
    images: Sequence[Named] | None = None,
    file_row: FileRow | None = None,
) -> UUID:
    """As create_product, in the caller's transaction; the caller announces it. Without `images` they are the body's
    addresses, and those elsewhere are fetched later: a file names them in `file_row`."""
    require_kind(body.kind, None)
    product_id = new_id()
    category_id = await require_category(tx, body.category)
    values = {
        "product_id": product_id,
        "seller_id": actor.user_id,
        "category_id": category_id,
        "currency": ctx.settings.currency,
        **column_values(body, ProductIn.model_fields.keys()),
        **language_values(ctx.settings.languages, body, ProductIn.model_fields.keys()),
        "status": wanted_status(None, body.status),
    }
    await tx.execute(insert(Product).values(values))
    plan = plan_of([], body.variants, body.price, whole=True)
    require_no_stock(body.kind, [], plan)
    await require_values(tx, category_id, body.specifications, *judged([], plan, body))
    await save_variants(tx, actor, product_id, plan)
    await save_components(tx, actor, product_id, body.kind, plan, whole=True)
    await identify(tx, actor, product_id, identity_of(body.title, body.brand, plan.options))
    await save_images(tx, product_id, named(body.images, ctx.settings, file_row) if images is None else images)
    status = values["status"] if values["status"] != "active" else await settle(tx, ctx, product_id, 1)
    payload = {"sellerId": actor.user_id, "status": status, "version": 1}
    created = Event("product", product_id, "ProductCreated", payload)
    await keep_versions(tx, Change.by(actor, "created"), [product_id], created)
    return product_id
