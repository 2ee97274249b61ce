"""HTTP of a product's pictures."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.catalog.errors import ProductChanged, ProductNotFound
from api.catalog.pictures import commands
from api.catalog.pictures.queries import awaited_of, images_shown
from api.catalog.pictures.reading import BODY, sent_in
from api.catalog.pictures.schemas import ChangeImage, ImageBody, ImageList
from api.catalog.queries.products import require_visible
from api.catalog.routes import IfMatch, ProductId
from api.kernel import etags
from api.kernel.actor import Actor
from api.kernel.auth import AccountActor, SellerActor
from api.kernel.body_limits import takes_up_to
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden, MalformedRequest, NotAuthenticated, ValidationFailed
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.media.errors import PictureNotFound, StoreSilent

router = APIRouter(prefix="/products/{productId}/images", tags=["catalog"])

_CHANGING = (NotAuthenticated, Forbidden, ProductNotFound, ProductChanged, ValidationFailed)
ImageId = Annotated[
    UUID, Depends(id_in_path("imageId", lambda: PictureNotFound("The product has no picture with this id.")))
]


@router.get(
    "",
    operation_id="listImages",
    summary="The pictures of a product in their order",
    responses=responses(ProductNotFound),
)
async def list_images(ctx: Ctx, actor: AccountActor, product_id: ProductId) -> ImageList:
    """In every size, with the words that describe them. `awaited`: for its seller, those that are not fetched yet or
    could not be, with the reason; the others see the picture that the shop draws where there is none."""
    async with ctx.db.read() as tx:
        await require_visible(tx, actor, product_id)
        images, drawn = await images_shown(tx, product_id)
        awaited = await awaited_of(tx, actor, product_id) if actor.kind == "seller" else []
    shown = images or ([] if drawn is None else [drawn])
    return ImageList(product_id=product_id, images=shown, awaited=awaited)


@router.post(
    "",
    status_code=201,
    operation_id="addImage",
    summary="Add a picture to one's own product",
    response_model=ImageBody,
    responses=responses(*_CHANGING, MalformedRequest, StoreSilent),
    openapi_extra={"requestBody": BODY},
)
@takes_up_to("media_body_bytes")
async def add_image(
    *,
    ctx: Ctx,
    actor: SellerActor,
    product_id: ProductId,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> ImageBody:
    """A form with the file, or JSON with the picture in base64 or its address, which is fetched once.

    JPEG, PNG, WebP, GIF and AVIF are taken, by their content. A picture that the product has already is not added
    again: the answer is 200.
    """
    sent = await sent_in(request)
    expected = etags.expected(if_match)
    image_id, is_new = await commands.add_image(
        ctx, actor, product_id, sent=sent.picture, change=sent.change, expected=expected
    )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/api/v1/products/{product_id}/images/{image_id}"
    return await _one(ctx, actor, product_id, image_id)


@router.patch(
    "/{imageId}",
    operation_id="changeImage",
    summary="Describe a picture, or put it in another place",
    responses=responses(*_CHANGING, PictureNotFound),
)
async def change_image(
    *,
    ctx: Ctx,
    actor: SellerActor,
    product_id: ProductId,
    image_id: ImageId,
    body: ChangeImage,
    if_match: IfMatch = None,
) -> ImageBody:
    """The picture at position 0 is the one that lists show."""
    expected = etags.expected(if_match)
    await commands.change_image(ctx, actor, product_id, image_id, change=body, expected=expected)
    return await _one(ctx, actor, product_id, image_id)


@router.delete(
    "/{imageId}",
    status_code=204,
    operation_id="removeImage",
    summary="Take a picture off one's own product",
    responses=responses(*_CHANGING, PictureNotFound),
)
async def remove_image(
    ctx: Ctx, actor: SellerActor, product_id: ProductId, image_id: ImageId, if_match: IfMatch = None
) -> Response:
    """Orders in which it was bought keep it."""
    await commands.remove_image(ctx, actor, product_id, image_id, etags.expected(if_match))
    return Response(status_code=204)


async def _one(ctx: Context, actor: Actor, product_id: UUID, image_id: UUID) -> ImageBody:
    """One of the actor's own product; the drawn one in place of what is awaited.

    Raises: PictureNotFound when it was removed at the same moment.
    """
    async with ctx.db.read() as tx:
        images, drawn = await images_shown(tx, product_id)
        awaited = await awaited_of(tx, actor, product_id)
    for image in images:
        if image.image_id == image_id:
            return image
    for one in awaited:
        if one.image_id == image_id and drawn is not None:
            said = {"image_id": image_id, "alt": one.alt, "variant_id": one.variant_id}
            return drawn.model_copy(update=said)
    raise PictureNotFound("The product has no picture with this id.")
