"""Bodies of a product's pictures."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.kernel.schemas import Wire, WireId
from api.kernel.texts import OneLine
from api.media.schemas import PictureBody, PictureText

MOST_IMAGES = 10
Alt = Annotated[OneLine, Field(min_length=1, max_length=500, examples=["The lamp on a desk, switched on"])]
Position = Annotated[int, Field(ge=0, lt=MOST_IMAGES, description="0 is the first, which lists show")]


class ImageBody(PictureBody):
    """A product's picture. `imageId` is null for one that the shop has drawn; `variantId`: it shows that variant."""

    image_id: WireId | None
    variant_id: WireId | None


class ImageList(Wire):
    product_id: UUID
    images: list[ImageBody]


class AddImage(Wire):
    """A picture as JSON. Without `position` it is the last."""

    image: PictureText
    alt: Alt | None = None
    variant_id: WireId | None = None
    position: Position | None = None


class ChangeImage(Wire):
    """Fields that are not sent keep their values; null takes the text or the variant away."""

    alt: Alt | None = None
    variant_id: WireId | None = None
    position: Position = 0
