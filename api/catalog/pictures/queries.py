"""A product's pictures as they are shown."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from api.catalog.artwork import drawn_path
from api.catalog.artwork.drawing import Subject
from api.catalog.models import Category, Product, ProductImage
from api.catalog.pictures.schemas import ImageBody
from api.kernel.db import ReadTx
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
    name = row["picture"]
    sizes = sizes_of(name) if name is not None else dict.fromkeys(("url160", "url480", "url1200"), row["url"])
    about = ("imageId", "alt", "variantId", "blur", "width", "height")
    return ImageBody.model_validate({**sizes, **{key: row[key] for key in about}})


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


async def images_shown(tx: ReadTx, product_id: UUID) -> list[ImageBody]:
    """A product's pictures in their order, or the drawn one, for whoever may see it."""
    row = await tx.first(_SHOWN, {"product_id": product_id})
    if row is None:
        return []
    images, title, category = row
    return image_bodies(images) or [drawn_image(product_id, Subject(title, category))]
