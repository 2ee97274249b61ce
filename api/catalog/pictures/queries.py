"""A product's pictures as they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    SQLColumnExpression,
    Uuid,
    any_,
    bindparam,
    case,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from api.catalog.artwork import drawn_path
from api.catalog.artwork.drawing import Subject
from api.catalog.models import AwaitedImage, Category, Product, ProductImage
from api.catalog.pictures.schemas import AwaitedBody, AwaitedState, ImageBody
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams
from api.media.naming import LARGEST, SIZES
from api.media.queries import MEASURES
from api.media.schemas import sizes_of


def images_of(product_id: SQLColumnExpression[UUID]) -> ColumnElement[Any]:  # Any: JSON
    """The pictures of a column's product in their order, as JSON for `image_bodies`; null when there are none."""
    image = func.jsonb_build_object(
        *("imageId", ProductImage.image_id, "url", ProductImage.url, "picture", ProductImage.picture),
        *("alt", ProductImage.alt, "variantId", ProductImage.variant_id),
        *("blur", MEASURES.c.blur, "width", MEASURES.c.width, "height", MEASURES.c.height),
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(image, ProductImage.position), type_=JSONB))
        .select_from(ProductImage)
        .join(MEASURES, MEASURES.c.name == ProductImage.picture, isouter=True)
        .where(ProductImage.product_id == product_id)
        .scalar_subquery()
    )


def image_bodies(
    rows: list[dict[str, Any]] | None, alts: Mapping[str, str] | None = None
) -> list[ImageBody]:  # Any: JSON
    """The bodies of what `images_of` read. `alts`: texts that are shown instead of the pictures' own, by address."""
    return [_body({**row, "alt": (alts or {}).get(row["url"], row["alt"])}) for row in rows or ()]


def _body(row: dict[str, Any]) -> ImageBody:  # Any: JSON
    about = ("imageId", "alt", "variantId", "blur", "width", "height")
    return ImageBody.model_validate({**sizes_of(row["picture"]), **{key: row[key] for key in about}})


def drawn_image(product_id: UUID, subject: Subject, title: str | None = None) -> ImageBody:
    """The body of the picture that the shop draws for a product without one. `title`: as its reader is shown it."""
    return ImageBody(
        image_id=None,
        variant_id=None,
        alt=title or subject.title,
        blur=subject.blur,
        width=LARGEST,
        height=LARGEST,
        **{f"url{size}": drawn_path(product_id, subject, size) for size in SIZES},
    )


_SHOWN = (
    select(images_of(bindparam("product_id", type_=Uuid)), Product.title, Category.path)
    .join(Category, Category.category_id == Product.category_id)
    .where(Product.product_id == bindparam("product_id"))
)


async def images_shown(tx: ReadTx, product_id: UUID) -> tuple[list[ImageBody], ImageBody | None]:
    """A product's pictures in their order, and the one that the shop draws, for whoever may see it; None when there is
    no product."""
    row = await tx.first(_SHOWN, {"product_id": product_id})
    if row is None:
        return [], None
    images, title, category = row
    return image_bodies(images), drawn_image(product_id, Subject(title, category))


_STATE = case((AwaitedImage.next_try.is_(None), "failed"), else_="pending")
_AWAITED = select(
    AwaitedImage.image_id,
    AwaitedImage.product_id,
    AwaitedImage.position,
    AwaitedImage.source,
    AwaitedImage.alt,
    AwaitedImage.variant_id,
    _STATE.label("state"),
    AwaitedImage.reason,
    AwaitedImage.tries,
    AwaitedImage.next_try.label("next_try_at"),
    AwaitedImage.job_id,
    AwaitedImage.row,
    AwaitedImage.created_at,
).where(AwaitedImage.seller_id == bindparam("seller_id", type_=Uuid))
_OF_PRODUCT = _AWAITED.where(AwaitedImage.product_id == bindparam("product_id", type_=Uuid)).order_by(
    AwaitedImage.position
)
_FAILED = AwaitedImage.next_try.is_(None)
_OF_JOBS = (
    AwaitedImage.seller_id == bindparam("seller_id", type_=Uuid),
    AwaitedImage.job_id == any_(bindparam("jobs", type_=ARRAY(Uuid))),
)
_COUNTS = (
    select(
        AwaitedImage.job_id,
        func.count().filter(~_FAILED).label("pending"),
        func.count().filter(_FAILED).label("failed"),
    )
    .where(*_OF_JOBS)
    .group_by(AwaitedImage.job_id)
)
_FAILURES = (
    select(AwaitedImage.row, AwaitedImage.source, AwaitedImage.reason)
    .where(*_OF_JOBS, _FAILED, AwaitedImage.row.between(bindparam("first"), bindparam("last")))
    .order_by(AwaitedImage.row, AwaitedImage.position)
)


@dataclass(frozen=True, slots=True)
class AwaitedCounts:
    """How many of the pictures that a file named are not shown: they are to be fetched, or were given up."""

    job_id: UUID
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that a row of a file named, and that was given up."""

    row: int
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class AwaitedFilter:
    """None: any."""

    state: AwaitedState | None = None
    job_id: UUID | None = None


async def awaited_of(tx: ReadTx, actor: Actor, product_id: UUID) -> list[AwaitedBody]:
    """What is awaited for the actor's own product, in its order."""
    return await tx.all_as(AwaitedBody, _OF_PRODUCT, {"seller_id": actor.user_id, "product_id": product_id})


async def awaited_images(
    tx: ReadTx, actor: Actor, wanted: AwaitedFilter, page: PageParams, after: tuple[str, UUID] | None
) -> list[AwaitedBody]:
    """Up to `page.limit` + 1 of what is awaited for the actor's products, by address, behind the one `after`."""
    place = (AwaitedImage.source, AwaitedImage.image_id)
    statement = _AWAITED
    if wanted.state is not None:
        statement = statement.where(_FAILED if wanted.state == "failed" else ~_FAILED)
    if wanted.job_id is not None:
        statement = statement.where(AwaitedImage.job_id == wanted.job_id)
    if after is None:
        statement = statement.offset(page.offset)
    else:
        statement = statement.where(tuple_(*place) > tuple_(literal(after[0]), literal(after[1])))
    return await tx.all_as(AwaitedBody, statement.order_by(*place).limit(page.limit + 1), {"seller_id": actor.user_id})


async def awaited_counts(tx: ReadTx, actor: Actor, jobs: Sequence[UUID]) -> dict[UUID, AwaitedCounts]:
    """Of those of the actor's files that named pictures which are not shown."""
    found = await tx.all_as(AwaitedCounts, _COUNTS, {"seller_id": actor.user_id, "jobs": list(jobs)})
    return {one.job_id: one for one in found}


async def failures_of(tx: ReadTx, actor: Actor, job_id: UUID, first: int, last: int) -> list[Failure]:
    """The pictures of a file that were given up, of its rows from `first` to `last`."""
    asked = {"seller_id": actor.user_id, "jobs": [job_id], "first": first, "last": last}
    return await tx.all_as(Failure, _FAILURES, asked)
