"""HTTP of files that are sold."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.inventory.errors import VariantNotFound
from api.kernel.auth import SellerActor
from api.kernel.body_limits import takes_up_to
from api.kernel.context import Ctx
from api.kernel.errors import BodyTooLarge, Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.kernel.texts import OneLine
from api.orders.downloads import commands, queries
from api.orders.downloads.errors import (
    DownloadOver,
    DownloadsUsedUp,
    EmptyFile,
    FileNotFound,
    FilesSilent,
    HasKeys,
    LinkExpired,
    LinkNotValid,
)
from api.orders.downloads.schemas import DigitalFileBody
from api.orders.keys.errors import NotDigital

router = APIRouter(tags=["orders"])
ProductId = Annotated[UUID, Depends(id_in_path("productId", VariantNotFound))]
VariantId = Annotated[UUID, Depends(id_in_path("variantId", VariantNotFound))]
_SELLING = (NotAuthenticated, Forbidden, VariantNotFound, NotDigital, FileNotFound)
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_FOR_ONE = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@router.put(
    "/products/{productId}/variants/{variantId}/file",
    operation_id="putDigitalFile",
    summary="Set the file that a digital variant is",
    openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
    responses=responses(*_SELLING, HasKeys, EmptyFile, BodyTooLarge, FilesSilent, ValidationFailed),
)
@takes_up_to("download_file_bytes")
async def put_digital_file(
    *,
    ctx: Ctx,
    actor: SellerActor,
    product_id: ProductId,
    variant_id: VariantId,
    request: Request,
    name: Annotated[OneLine, Query(min_length=1, max_length=255, description="What its buyers save it as")],
) -> DigitalFileBody:
    """The body is the file. It is kept privately and never runs out of stock; whoever bought an earlier one gets the
    new one."""
    await commands.put_file(ctx, actor, (product_id, variant_id), name, await request.body())
    return await _shown(ctx, actor, product_id, variant_id)


@router.get(
    "/products/{productId}/variants/{variantId}/file",
    operation_id="getDigitalFile",
    summary="The file that a digital variant is",
    responses=responses(*_SELLING),
)
async def get_digital_file(
    ctx: Ctx, actor: SellerActor, product_id: ProductId, variant_id: VariantId
) -> DigitalFileBody:
    """Its name and size."""
    return await _shown(ctx, actor, product_id, variant_id)


async def _shown(ctx: Ctx, actor: SellerActor, product_id: UUID, variant_id: UUID) -> DigitalFileBody:
    """Raises: FileNotFound, and as `file_of`."""
    async with ctx.db.read() as tx:
        found = await queries.file_of(tx, actor, product_id, variant_id)
    if found is None:
        raise FileNotFound("Send it: PUT to this address, with the file as the body.")
    return found


@router.get(
    "/downloads/{code}",
    operation_id="download",
    summary="A file that was bought, by a link of its order",
    response_class=Response,
    responses={
        200: {"content": _BINARY},
        **responses(LinkNotValid, LinkExpired, DownloadOver, DownloadsUsedUp, FilesSilent),
    },
)
async def download(ctx: Ctx, code: Annotated[str, Path(max_length=200)]) -> Response:
    """Whoever has the link downloads, until it expires. The whole file, each time counted as one download."""
    taken = await commands.download(ctx, code)
    named = f"attachment; filename*=UTF-8''{quote(taken.name, safe='')}"
    return Response(
        taken.content, media_type="application/octet-stream", headers={"Content-Disposition": named, **_FOR_ONE}
    )
