"""Pictures of a product, as its body names them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select

from api.catalog.artwork import is_artwork
from api.catalog.commands.variants import living_variants
from api.catalog.models import ProductImage
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.ids import new_id
from api.kernel.settings import Settings
from api.media.commands import Incoming, Taken, show, take_in
from api.media.naming import address, named_in
from api.media.outside import require_public
from api.media.press.formats import Refused


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of a product's pictures."""

    image_id: UUID
    url: str
    picture: str | None
    alt: str | None
    variant_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a picture: its text, and the SKU of the variant that it shows."""

    alt: str | None
    sku: str | None


NOTHING = Said(None, None)
# A picture that was taken in, or an address elsewhere.
Named = Taken | str
_COLUMNS = [getattr(ProductImage, field.name) for field in fields(Shown)]


async def take_in_images(ctx: Context, images: Sequence[str]) -> list[Named]:
    """Store the pictures of a product's body; call it before the transaction that shows them.

    Addresses of drawn pictures stand for a product without pictures, so they are left out. Raises: ValidationFailed
    with `/images/N`; StoreSilent.
    """
    sent = [
        Incoming(image, f"/images/{place}")
        for place, image in enumerate(images)
        if not is_artwork(image.removeprefix(ctx.settings.api_url))
    ]
    return [*await take_in(ctx, sent)] if sent else []


def named(images: Sequence[str], settings: Settings) -> list[Named]:
    """What addresses name, where nothing can be fetched: the shop's own pictures, and public addresses elsewhere as
    they are.

    Raises: ValidationFailed with `/images/N`.
    """
    found: list[Named] = []
    for place, image in enumerate(images):
        if (name := named_in(image, "")) is not None:
            found.append(Taken(name, 0, None))
        elif not is_artwork(image):
            try:
                require_public(image, settings.media_trusted_hosts)
            except Refused as refused:
                wrong = FieldError(pointer=f"/images/{place}", message=str(refused))
                raise ValidationFailed("Name pictures by their addresses.", errors=[wrong]) from None
            found.append(image)
    return found


async def save_images(
    tx: Tx, product_id: UUID, images: Sequence[Named], said: Mapping[str, Said] | None = None
) -> None:
    """Show these pictures in their order and no others, each once. With `said`, by addresses, that is what is said of
    them; without it, what was said of one that stays is kept."""
    taken = [image for image in images if isinstance(image, Taken)]
    names = iter(await show(tx, "product", product_id, taken))
    anew = [new_image(next(names)) if isinstance(image, Taken) else _elsewhere(image) for image in images]
    known = {row.url: row for row in await shown_by(tx, product_id)}
    shown = {row.url: known.get(row.url, row) for row in anew}
    if said is not None:
        places = {row.sku: row.variant_id for row in await living_variants(tx, product_id)}
        shown = {url: _told(row, said.get(url, NOTHING), places) for url, row in shown.items()}
    await write_images(tx, product_id, list(shown.values()))


def _told(row: Shown, said: Said, places: Mapping[str, UUID]) -> Shown:
    return replace(row, alt=said.alt, variant_id=places.get(said.sku) if said.sku is not None else None)


async def shown_by(tx: Tx, product_id: UUID) -> list[Shown]:
    """The product's pictures in their order."""
    rows = select(*_COLUMNS).where(ProductImage.product_id == product_id).order_by(ProductImage.position)
    return await tx.all_as(Shown, rows)


def new_image(name: str) -> Shown:
    """The row of a picture of which nothing is said yet."""
    return Shown(new_id(), address(name), name, None, None, clock.now())


def _elsewhere(url: str) -> Shown:
    return Shown(new_id(), url, None, None, None, clock.now())


async def write_images(tx: Tx, product_id: UUID, images: Sequence[Shown]) -> None:
    """The rows of the product, anew and in this order."""
    await tx.execute(delete(ProductImage).where(ProductImage.product_id == product_id))
    if images:
        rows = [{**asdict(image), "product_id": product_id, "position": place} for place, image in enumerate(images)]
        await tx.execute(insert(ProductImage).values(rows))
