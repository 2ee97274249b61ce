"""Add, change and remove one picture of one's own product. Each is a change of the product, with its version."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import func, select, update

from api.catalog.approval.judging import settle, wanted_status
from api.catalog.commands.change import Current, lock_own
from api.catalog.commands.images import Shown, new_image, shown_by, write_images
from api.catalog.commands.keeping import Change, keep_versions
from api.catalog.errors import ProductNotFound
from api.catalog.models import Product, ProductVariant
from api.catalog.pages import product_tag
from api.catalog.pictures.schemas import MOST_IMAGES, ChangeImage
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.etags import Expected
from api.kernel.feeds import announce_soon
from api.kernel.outbox import Event
from api.media.commands import Incoming, Taken, show, take_in
from api.media.errors import PictureNotFound


async def add_image(
    ctx: Context, actor: Actor, product_id: UUID, *, sent: bytes | str, change: ChangeImage, expected: Expected | None
) -> tuple[UUID, bool]:
    """The image's id, and whether it is new: a picture that the product shows already is changed as the request says.

    Raises: ProductNotFound; ProductChanged; ValidationFailed with `/image`; StoreSilent.
    """
    await _require_own(ctx, actor, product_id)
    (taken,) = await take_in(ctx, [Incoming(sent, "/image")])

    async def work(tx: Tx) -> tuple[UUID, bool]:
        before, shown = await _opened(tx, actor, product_id, expected, change)
        name = (await show(tx, "product", product_id, [*kept(shown), taken]))[-1]
        known = next((image for image in shown if image.picture == name), None) or next(
            (image for image in shown if image.picture is None and image.source == taken.source), None
        )
        if known is None and len(shown) >= MOST_IMAGES:
            raise _refused("/image", f"a product has at most {MOST_IMAGES} pictures")
        image = (known or new_image(name)).arrived(name, taken.source)
        others = [other for other in shown if other is not known]
        stays = len(others) if known is None else shown.index(known)
        after = _placed(others, image, change, stays)
        await save_shown(tx, ctx, product_id, before, was=shown, images=after, change=Change.by(actor))
        return image.image_id, known is None

    added = await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))
    return added


async def change_image(
    ctx: Context, actor: Actor, product_id: UUID, image_id: UUID, *, change: ChangeImage, expected: Expected | None
) -> None:
    """Set what was sent. Raises: ProductNotFound; PictureNotFound; ProductChanged; ValidationFailed."""

    async def work(tx: Tx) -> None:
        before, shown = await _opened(tx, actor, product_id, expected, change)
        image = _one_of(shown, image_id)
        others = [other for other in shown if other is not image]
        after = _placed(others, image, change, shown.index(image))
        await save_shown(tx, ctx, product_id, before, was=shown, images=after, change=Change.by(actor))

    await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))


async def remove_image(ctx: Context, actor: Actor, product_id: UUID, image_id: UUID, expected: Expected | None) -> None:
    """The product shows it no longer; orders that do go on.

    Raises: ProductNotFound; PictureNotFound; ProductChanged.
    """

    async def work(tx: Tx) -> None:
        before, shown = await _opened(tx, actor, product_id, expected, ChangeImage())
        image = _one_of(shown, image_id)
        images = [other for other in shown if other is not image]
        await show(tx, "product", product_id, kept(images))
        await save_shown(tx, ctx, product_id, before, was=shown, images=images, change=Change.by(actor))

    await ctx.db.run(work)
    await announce_soon(ctx.redis, (product_tag(product_id),))


async def _require_own(ctx: Context, actor: Actor, product_id: UUID) -> None:
    """Nobody makes us decode a picture for a product that is not theirs."""
    own = (Product.product_id == product_id, Product.seller_id == actor.user_id, Product.deleted_at.is_(None))
    async with ctx.db.read() as tx:
        if await tx.first(select(Product.product_id).where(*own)) is None:
            raise ProductNotFound("You sell no product with this id.")


async def _opened(
    tx: Tx, actor: Actor, product_id: UUID, expected: Expected | None, change: ChangeImage
) -> tuple[Current, list[Shown]]:
    """The locked product and its pictures; a variant that the change names is the product's."""
    current = await lock_own(tx, actor, product_id, expected)
    if change.variant_id is not None:
        own = select(ProductVariant.variant_id).where(
            ProductVariant.product_id == product_id,
            ProductVariant.variant_id == change.variant_id,
            ProductVariant.removed_at.is_(None),
        )
        if await tx.first(own) is None:
            raise _refused("/variantId", "is no variant of this product")
    return current, await shown_by(tx, product_id)


async def save_shown(
    tx: Tx,
    ctx: Context,
    product_id: UUID,
    before: Current,
    *,
    was: Sequence[Shown],
    images: Sequence[Shown],
    change: Change,
) -> None:
    """The locked product has these pictures, which were others; that is a version, and is judged."""
    await write_images(tx, product_id, was, images)
    version = before.version + 1
    status = wanted_status(before.status, None)
    values = {"status": status, "version": version, "updated_at": func.now()}
    await tx.execute(update(Product).where(Product.product_id == product_id).values(values))
    if status == "active":
        await settle(tx, ctx, product_id, version)
    payload = {"sellerId": before.seller_id, "version": version, "fields": ["images"]}
    changed = Event("product", product_id, "ProductChanged", payload)
    await keep_versions(tx, change, [product_id], changed)


def _placed(others: Sequence[Shown], image: Shown, change: ChangeImage, stays: int) -> list[Shown]:
    """The pictures with this one as the change says, at `stays` if it names no place."""
    sent = change.model_fields_set
    given = {name: getattr(change, name) for name in ("alt", "variant_id") if name in sent}
    place = change.position if "position" in sent else stays
    return [*others[:place], replace(image, **given), *others[place:]]


def _one_of(shown: Sequence[Shown], image_id: UUID) -> Shown:
    for image in shown:
        if image.image_id == image_id:
            return image
    raise PictureNotFound("The product has no picture with this id.")


def kept(images: Sequence[Shown]) -> list[Taken]:
    """The pictures that stay, as what was taken in."""
    return [Taken(image.picture, 0, None) for image in images if image.picture is not None]


def _refused(pointer: str, message: str) -> ValidationFailed:
    return ValidationFailed("Correct what is named in `errors`.", errors=[FieldError(pointer=pointer, message=message)])
