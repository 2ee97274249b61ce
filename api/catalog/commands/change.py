"""Change or withdraw a product. Every save raises its version; If-Match prevents lost updates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select, update

from api.catalog.approval.judging import is_material, leave_queue, settle, wanted_status
from api.catalog.attributes.queries import require_values
from api.catalog.commands.fields import column_values
from api.catalog.commands.identity import identify, identity_of, saved
from api.catalog.commands.images import FileRow, Named, Said, forget_awaited, named, save_images, take_in_images
from api.catalog.commands.keeping import Change, keep_first_versions, keep_versions
from api.catalog.commands.matching import SavedVariant, VariantPlan, judged, plan_of, require_no_stock
from api.catalog.commands.variants import living_variants, remove_variants, save_variants
from api.catalog.errors import ProductChanged, ProductNotFound
from api.catalog.kinds import require_kind
from api.catalog.kits.commands import save_components
from api.catalog.languages.commands import language_values
from api.catalog.languages.schemas import Stored
from api.catalog.models import Product
from api.catalog.pages import product_tag
from api.catalog.queries.categories import require_category
from api.catalog.schemas import Kind, ProductIn, ProductPatch, Status
from api.catalog.versions.models import ProductVersion
from api.inventory.errors import StockChanged
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.etags import Expected, stock_mark
from api.kernel.feeds import announce_soon
from api.kernel.outbox import Event
from api.pricing.list_price import is_list_price

# Required fields: null is refused and removes nothing.
_REQUIRED = frozenset({"price"})
# Fields that say what a product is.
_OF_IDENTITY = frozenset({"title", "brand", "variants", "condition"})
# What a category's definitions are about: a save of anything else is not judged by them.
_JUDGED = frozenset({"category", "specifications", "variants"})


@dataclass(frozen=True, slots=True)
class Current:
    """The product as it is before the change."""

    seller_id: UUID
    version: int
    title: str
    brand: str | None
    base_price: Decimal
    list_price: Decimal | None
    category_id: UUID
    condition: str
    kind: Kind
    status: Status
    specifications: dict[str, object]
    language: str | None
    translations: Stored | None
    has_versions: bool


_OWN = select(
    Product.seller_id,
    Product.version,
    Product.title,
    Product.brand,
    Product.base_price,
    Product.list_price,
    Product.category_id,
    Product.condition,
    Product.kind,
    Product.status,
    Product.specifications,
    Product.language,
    Product.translations,
    select(ProductVersion.version)
    .where(ProductVersion.product_id == Product.product_id)
    .exists()
    .label("has_versions"),
).where(
    Product.product_id == bindparam("product_id", type_=Uuid),
    Product.seller_id == bindparam("seller_id", type_=Uuid),
    Product.deleted_at.is_(None),
)
_LOCKED = _OWN.with_for_update()


async def replace_product(
    ctx: Context, actor: Actor, product_id: UUID, body: ProductIn, expected: Expected | None
) -> None:
    """Set every field to the value sent or to its default. Raises: as change_product."""
    taken = await take_in_images(ctx, body.images)
    fields = frozenset(ProductIn.model_fields)
    read_back = bool(body.images)

    async def work(tx: Tx) -> None:
        await save(
            tx, ctx, actor, product_id, body, images=taken, fields=fields, expected=expected, read_back=read_back
        )

    await saved(ctx, work)
    await announce_soon(ctx.redis, (product_tag(product_id),))


async def change_product(
    ctx: Context, actor: Actor, product_id: UUID, body: ProductPatch, expected: Expected | None
) -> None:
    """Set the fields that were sent.

    Raises: ProductNotFound, also for another seller's product; ProductChanged (412) when `expected` is not the current
    version; StockChanged (412) when stock is set and not as expected; CategoryNotFound; SkuTaken; GtinTaken;
    DuplicateProduct; UnitsOwed; BelowZero; ValidationFailed when the list price ends below the price, and as `plan_of`
    says.
    """
    taken = await take_in_images(ctx, body.images)
    await saved(ctx, lambda tx: change_in(tx, ctx, actor, product_id, body, expected=expected, images=taken))
    await announce_soon(ctx.redis, (product_tag(product_id),))


async def change_in(
    tx: Tx,
    ctx: Context,
    actor: Actor,
    product_id: UUID,
    body: ProductPatch,
    *,
    expected: Expected | None,
    images: Sequence[Named] | None = None,
    file_row: FileRow | None = None,
) -> None:
    """As change_product, in the caller's transaction; the caller announces it. Without `images` they are the body's
    addresses, and those elsewhere are fetched later: a file names them in `file_row`."""
    missing = [name for name in _REQUIRED & body.model_fields_set if getattr(body, name) is None]
    if missing:
        errors = [FieldError(pointer=f"/{name}", message="must not be null") for name in missing]
        raise ValidationFailed("A product cannot be without this.", errors=errors)
    shown = named(body.images, ctx.settings, file_row) if images is None else images
    read_back = images is not None and bool(body.images)
    fields = frozenset(body.model_fields_set)
    await save(tx, ctx, actor, product_id, body, images=shown, fields=fields, expected=expected, read_back=read_back)


async def delete_product(ctx: Context, actor: Actor, product_id: UUID, expected: Expected | None) -> None:
    """Take the product and its variants off sale for good, which frees their SKUs; orders, carts and statistics
    keep their rows.

    Raises: ProductNotFound; ProductChanged.
    """

    async def work(tx: Tx) -> None:
        current = await lock_own(tx, actor, product_id, expected)
        values = {
            "status": "inactive",
            "deleted_at": func.now(),
            "updated_at": func.now(),
            "version": current.version + 1,
        }
        await tx.execute(update(Product).where(Product.product_id == product_id).values(values))
        await leave_queue(tx, product_id)
        await forget_awaited(tx, product_id)
        await remove_variants(tx, [variant.variant_id for variant in await living_variants(tx, product_id)])
        payload = {"sellerId": actor.user_id, "version": current.version + 1}
        withdrawn = Event("product", product_id, "ProductWithdrawn", payload)
        await keep_versions(tx, Change.by(actor, "deleted"), [product_id], withdrawn)

    await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))


async def save(
    tx: Tx,
    ctx: Context,
    actor: Actor,
    product_id: UUID,
    body: ProductIn | ProductPatch,
    *,
    images: Sequence[Named],
    fields: frozenset[str],
    expected: Expected | None,
    change: Change | None = None,
    said: Mapping[str, Said] | None = None,
    read_back: bool = False,
) -> bool:
    """Set these `fields` to what the body has. `said`, `read_back`: as save_images has them. Returns whether there is a
    new version."""
    whole = isinstance(body, ProductIn)
    current = await lock_own(tx, actor, product_id, expected)
    values = column_values(body, fields)
    values |= language_values(ctx.settings.languages, body, fields, current.language, current.translations)
    if "category" in fields:
        values["category_id"] = await require_category(tx, body.category)
    price: Decimal = values.get("base_price", current.base_price)
    _require_list_price(price, values.get("list_price", current.list_price))
    require_kind(values.get("kind", current.kind), current.kind)
    another = values.get("condition", current.condition) != current.condition
    if another:
        values["identity"] = None  # said again below, when nothing else of the seller's is the same
    status = wanted_status(current.status, values.get("status"))
    values |= {"status": status, "version": current.version + 1, "updated_at": func.now()}
    await tx.execute(update(Product).where(Product.product_id == product_id).values(values))
    if fields & _OF_IDENTITY or price != current.base_price:
        before = await living_variants(tx, product_id)
        if expected is not None and any(variant.stock is not None for variant in body.variants):
            _require_stock(before, expected)
        plan = plan_of(before, body.variants, price, whole=whole)
        require_no_stock(current.kind, before, plan)
        await save_variants(tx, actor, product_id, plan)
        await save_components(tx, actor, product_id, current.kind, plan, whole=whole)
        title, brand = values.get("title", current.title), values.get("brand", current.brand)
        identity = identity_of(title, brand, plan.options)
        if another or identity != identity_of(current.title, current.brand, [variant.attributes for variant in before]):
            await identify(tx, actor, product_id, identity)
    if fields & _JUDGED:
        after = judged(await living_variants(tx, product_id), VariantPlan(), body)
        category_id = values.get("category_id", current.category_id)
        await require_values(tx, category_id, values.get("specifications", current.specifications), *after)
    if "images" in fields:
        await save_images(tx, product_id, images, said, read_back=read_back)
    if status == "active" and (current.status != "active" or is_material(body, fields)):
        await settle(tx, ctx, product_id, current.version + 1)
    elif current.status == "pending_review" and status != "active":
        await leave_queue(tx, product_id)
    payload = {"sellerId": actor.user_id, "version": current.version + 1, "fields": sorted(fields)}
    changed = Event("product", product_id, "ProductChanged", payload)
    return bool(await keep_versions(tx, change or Change.by(actor), [product_id], changed))


async def lock_own(tx: Tx, actor: Actor, product_id: UUID, expected: Expected | None) -> Current:
    """Lock the actor's own product, to change it."""
    row = await tx.first_as(Current, _LOCKED, {"product_id": product_id, "seller_id": actor.user_id})
    if row is None:
        raise ProductNotFound("You sell no product with this id.")
    if expected is not None and expected.version != row.version:
        raise ProductChanged("Read the product again and repeat the change on its newest version.")
    if not row.has_versions:
        await keep_first_versions(tx, [product_id])
    return row


def _require_stock(variants: Sequence[SavedVariant], expected: Expected) -> None:
    """Whoever sets the stock of what was sold since would sell it again."""
    if expected.stock != stock_mark((variant.variant_id, variant.units) for variant in variants):
        units = {str(variant.variant_id): variant.units for variant in variants}
        raise StockChanged("Read the product again, then say what has changed.", extra={"stock": units})


def _require_list_price(price: Decimal, list_price: Decimal | None) -> None:
    if not is_list_price(list_price, price):
        message = "must not be lower than price"
        raise ValidationFailed("The list price is too low.", errors=[FieldError(pointer="/listPrice", message=message)])
