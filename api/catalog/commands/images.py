"""Pictures of a product, as its body names them.

Each has its place among them, whether the shop keeps it (a row of `product_images`) or knows only its address (one of
`awaited_images`, which a job of `api/catalog/pictures` fetches). Nothing that is shown leads elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, bindparam, delete, insert, literal, null, select, union_all, update
from sqlalchemy import cast as sql_cast

from api.catalog.artwork import is_artwork
from api.catalog.commands.variants import living_variants
from api.catalog.models import AwaitedImage, Product, ProductImage
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
class FileRow:
    """The row of a file that names pictures."""

    job_id: UUID
    row: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture of which only the address is known. `host`: HOST:PORT of its server."""

    source: str
    host: str
    file_row: FileRow | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a product. `picture` None: it is awaited, and what follows is as its row has it."""

    image_id: UUID
    picture: str | None
    source: str | None
    alt: str | None
    variant_id: UUID | None
    created_at: datetime
    host: str | None = None
    tries: int = 0
    next_try: datetime | None = None
    reason: str | None = None
    job_id: UUID | None = None
    row: int | None = None

    @property
    def url(self) -> str:
        """As versions have it: where it is shown, or is to be fetched from."""
        return self.source or "" if self.picture is None else address(self.picture)

    @property
    def queued(self) -> tuple[object, ...]:
        """What the queue knows of one that is awaited."""
        return (self.picture, self.source, self.tries, self.next_try, self.reason, self.job_id, self.row)

    def arrived(self, picture: str, source: str | None) -> "Shown":
        """It is the shop's own now; what was said of it stays."""
        at = self.created_at if self.picture == picture else clock.now()
        return Shown(self.image_id, picture, source or self.source, self.alt, self.variant_id, at)

    def again(self, file_row: FileRow | None) -> "Shown":
        """One that was given up is tried again; any other goes on as it is."""
        if self.picture is not None or self.next_try is not None:
            return self
        return replace(self, tries=0, next_try=clock.now(), reason=None, **_said_in(file_row))


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a picture: its text, and the SKU of the variant that it shows."""

    alt: str | None
    sku: str | None


NOTHING = Said(None, None)
Named = Taken | Wanted


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


def named(images: Sequence[str], settings: Settings, file_row: FileRow | None = None) -> list[Named]:
    """What addresses name, where nothing can be fetched: the shop's own pictures, and those that are fetched later from
    public addresses elsewhere.

    Raises: ValidationFailed with `/images/N`.
    """
    found: list[Named] = []
    for number, image in enumerate(images):
        if (name := named_in(image, "")) is not None:
            found.append(Taken(name, 0, None))
        elif not is_artwork(image):
            try:
                host = require_public(image, settings.media_trusted_hosts)
            except Refused as refused:
                wrong = FieldError(pointer=f"/images/{number}", message=str(refused))
                raise ValidationFailed("Name pictures by their addresses.", errors=[wrong]) from None
            found.append(Wanted(image, host, file_row))
    return found


async def save_images(
    tx: Tx,
    product_id: UUID,
    images: Sequence[Named],
    said: Mapping[str, Said] | None = None,
    *,
    read_back: bool = False,
) -> None:
    """The product has these pictures in their order and no others, each once. With `said`, by addresses, that is what
    is said of them; without it, what was said of one that stays is kept. One that was given up is tried again.

    `read_back`: the list may be what GET gave, which does not name what is awaited; then nothing is to be done.
    """
    before = await shown_by(tx, product_id)
    shown = [row.picture for row in before if row.picture is not None]
    if read_back and shown == [image.name for image in images if isinstance(image, Taken)]:
        return
    after = await _found(tx, product_id, images, before)
    if said is not None:
        places = {row.sku: row.variant_id for row in await living_variants(tx, product_id)}
        after = [_told(row, said.get(row.url) or said.get(row.source or "", NOTHING), places) for row in after]
    await write_images(tx, product_id, before, after)


async def _found(tx: Tx, product_id: UUID, images: Sequence[Named], before: Sequence[Shown]) -> list[Shown]:
    """The rows of these pictures: those that the product has, and new ones."""
    of_source = {row.source: row for row in before if row.source is not None}
    known = [
        Taken(row.picture, 0, None, image.source)
        if isinstance(image, Wanted) and (row := of_source.get(image.source)) is not None and row.picture is not None
        else image
        for image in images
    ]
    taken = [image for image in known if isinstance(image, Taken)]
    had_some = any(row.picture is not None for row in before)
    names = iter(await show(tx, "product", product_id, taken) if taken or had_some else ())
    of_picture = {row.picture: row for row in reversed(before) if row.picture is not None}
    after: dict[UUID, Shown] = {}
    for image in known:
        row = None if image.source is None else of_source.get(image.source)
        if isinstance(image, Wanted):
            row = (row or _awaited(image)).again(image.file_row)
        else:
            name = next(names)
            row = (row or of_picture.get(name) or new_image(name)).arrived(name, image.source)
            of_picture.setdefault(name, row)
        if row.source is not None:
            of_source[row.source] = row
        after.setdefault(row.image_id, row)
    return [*after.values()]


def _told(row: Shown, said: Said, places: Mapping[str, UUID]) -> Shown:
    return replace(row, alt=said.alt, variant_id=places.get(said.sku) if said.sku is not None else None)


async def shown_by(tx: Tx, product_id: UUID) -> list[Shown]:
    """The product's pictures in their order, those that are awaited among them."""
    return await tx.all_as(Shown, _ROWS, {"product_id": product_id})


async def forget_awaited(tx: Tx, product_id: UUID) -> None:
    """Nothing of the product is fetched any more; the caller has locked it."""
    await tx.execute(_FORGET, {"product_id": product_id})


def new_image(name: str) -> Shown:
    """The row of a picture of which nothing is said yet."""
    return Shown(new_id(), name, None, None, None, clock.now())


def _awaited(wanted: Wanted) -> Shown:
    at = clock.now()
    of_file = _said_in(wanted.file_row)
    return Shown(new_id(), None, wanted.source, None, None, at, host=wanted.host, next_try=at, **of_file)


def _said_in(file_row: FileRow | None) -> dict[str, Any]:  # Any: an id and a number
    return {"job_id": None, "row": None} if file_row is None else {"job_id": file_row.job_id, "row": file_row.row}


async def write_images(tx: Tx, product_id: UUID, before: Sequence[Shown], after: Sequence[Shown]) -> None:
    """Make of the product's rows, which are these `before`, those `after` in this order. What stays as it is is not
    written: a worker may just be saying that an awaited one was tried."""
    known = {row.image_id: (place, row) for place, row in enumerate(before)}
    changed = [(place, row) for place, row in enumerate(after) if known.get(row.image_id) != (place, row)]
    described = [
        (place, row)
        for place, row in changed
        if row.picture is None and (old := known.get(row.image_id)) is not None and row.queued == old[1].queued
    ]
    anew = [one for one in changed if one not in described]
    stay = {row.image_id for row in after} - {row.image_id for _, row in anew}
    gone = [row for row in before if row.image_id not in stay]
    if ids := [row.image_id for row in gone if row.picture is not None]:
        await tx.execute(delete(ProductImage).where(ProductImage.image_id.in_(ids)))
    if ids := [row.image_id for row in gone if row.picture is None]:
        await tx.execute(delete(AwaitedImage).where(AwaitedImage.image_id.in_(ids)))
    for place, row in described:
        said = {"position": place, "alt": row.alt, "variant_id": row.variant_id}
        await tx.execute(update(AwaitedImage).where(AwaitedImage.image_id == row.image_id).values(said))
    if shown := [_row(product_id, place, image, _SHOWN) for place, image in anew if image.picture is not None]:
        await tx.execute(insert(ProductImage).values([{**row, "url": address(row["picture"])} for row in shown]))
    if awaited := [_row(product_id, place, image, _AWAITED) for place, image in anew if image.picture is None]:
        seller = select(Product.seller_id).where(Product.product_id == product_id).scalar_subquery()
        await tx.execute(insert(AwaitedImage).values([{**row, "seller_id": seller} for row in awaited]))


def _row(
    product_id: UUID, place: int, image: Shown, columns: Sequence[str]
) -> dict[str, Any]:  # Any: values of several columns
    return {"product_id": product_id, "position": place, **{name: getattr(image, name) for name in columns}}


_NAMES = [field.name for field in fields(Shown)]
_SHOWN = [name for name in _NAMES if name in ProductImage.__table__.columns]
_AWAITED = [name for name in _NAMES if name in AwaitedImage.__table__.columns]
_PRODUCT = bindparam("product_id", type_=Uuid)
_FORGET = delete(AwaitedImage).where(AwaitedImage.product_id == _PRODUCT)


def _columns(model: type[ProductImage] | type[AwaitedImage]) -> list[ColumnElement[Any]]:  # Any: of several types
    """The columns of a Shown, from a table that has some of them."""
    of_awaited = AwaitedImage.__table__.columns
    found: list[ColumnElement[Any]] = []  # Any: as above
    for name in _NAMES:
        if name in model.__table__.columns:
            found.append(getattr(model, name))
        else:
            nothing = literal(0) if name == "tries" else null()
            kind = ProductImage.picture.type if name == "picture" else of_awaited[name].type
            found.append(sql_cast(nothing, kind).label(name))
    return found


_BOTH = union_all(
    *(
        select(*_columns(model), model.position).where(model.product_id == _PRODUCT)
        for model in (ProductImage, AwaitedImage)
    )
).subquery("both")
_ROWS = select(*(_BOTH.c[name] for name in _NAMES)).order_by(_BOTH.c.position)
