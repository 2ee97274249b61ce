"""A product's pictures as they are shown."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from api.catalog.models import ProductImage
from api.catalog.pictures.schemas import ImageBody
from api.kernel.db import ReadTx
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


def image_bodies(rows: list[dict[str, Any]] | None) -> list[ImageBody]:  # Any: JSON
    """The bodies of what `images_of` read."""
    return [_body(row) for row in rows or ()]


def _body(row: dict[str, Any]) -> ImageBody:  # Any: JSON
    name = row["picture"]
    sizes = sizes_of(name) if name is not None else dict.fromkeys(("url160", "url480", "url1200"), row["url"])
    about = ("imageId", "alt", "variantId", "blur", "width", "height")
    return ImageBody.model_validate({**sizes, **{key: row[key] for key in about}})


_SHOWN = select(images_of(bindparam("product_id", type_=Uuid)))


async def images_shown(tx: ReadTx, product_id: UUID) -> list[ImageBody]:
    """A product's pictures in their order, for whoever may see it."""
    return image_bodies(await tx.scalar(_SHOWN, {"product_id": product_id}))
