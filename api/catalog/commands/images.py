"""Image addresses of a product."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, insert

from api.catalog.models import ProductImage
from api.kernel.db import Tx
from api.kernel.ids import new_id


async def save_images(tx: Tx, product_id: UUID, urls: Sequence[str], *, replace: bool = False) -> None:
    """Store image addresses in the order given."""
    if replace:
        await tx.execute(delete(ProductImage).where(ProductImage.product_id == product_id))
    if urls:
        rows = [
            {"image_id": new_id(), "product_id": product_id, "position": i, "url": url} for i, url in enumerate(urls)
        ]
        await tx.execute(insert(ProductImage).values(rows))
