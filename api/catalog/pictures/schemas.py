"""Bodies of a product's pictures."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireId, WireTime
from api.kernel.texts import OneLine
from api.media.schemas import PictureBody, PictureText

MOST_IMAGES = 10
AwaitedState = Literal["pending", "failed"]
Alt = Annotated[OneLine, Field(min_length=1, max_length=500, examples=["The lamp on a desk, switched on"])]
Position = Annotated[int, Field(ge=0, lt=MOST_IMAGES, description="0 is the first, which lists show")]


class ImageBody(PictureBody):
    """A product's picture. `imageId` is null for one that the shop has drawn; `variantId`: it shows that variant."""

    image_id: WireId | None
    variant_id: WireId | None


class AwaitedBody(Wire):
    """A picture of one's own product that a file named by its address, and that is not shown yet.

    `pending`: it is fetched, or tried again at `nextTryAt`. `failed`: it was given up for the `reason`; send the
    address in a file again, and it is tried again. `position`: its place among the product's pictures. `jobId` and
    `row`: the file and the row of it that named it.
    """

    image_id: UUID
    product_id: UUID
    position: int
    source: str
    alt: str | None
    variant_id: UUID | None
    state: AwaitedState
    reason: str | None
    tries: int
    next_try_at: WireTime | None
    job_id: UUID | None
    row: int | None
    created_at: WireTime


class AwaitedList(Wire):
    images: list[AwaitedBody]
    pagination: Pagination


class ImageList(Wire):
    """`awaited`, for the product's seller alone: pictures that are not shown yet."""

    product_id: UUID
    images: list[ImageBody]
    awaited: list[AwaitedBody]


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
