"""HTTP of pictures: what an address leads to never changes."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response

from api.kernel import etags
from api.kernel.context import Context, Ctx
from api.kernel.problems import responses
from api.media.errors import PictureNotFound, StoreSilent
from api.media.naming import NAME, is_file, size_key
from api.media.store.interface import StoreFailed
from api.media.store.opening import store_of

router = APIRouter(prefix="/media", tags=["media"])

Segment = Annotated[str, Path(max_length=100)]
IfNoneMatch = Annotated[str | None, Header(max_length=2_000)]
# What the address leads to is the same for a year and longer, for everybody. The policy is for whoever opens it as a
# page: nothing in a picture of ours runs, and this says so.
_FOREVER = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
SERVED: dict[int | str, dict[str, Any]] = {  # Any: FastAPI's own type for OpenAPI fragments
    200: {"content": {"image/webp": {}}},
    304: {"description": "Not modified"},
    **responses(PictureNotFound, StoreSilent),
}


@router.get(
    "/{name}/{file}",
    operation_id="getPicture",
    summary="One size of a picture, for ever the same",
    response_class=Response,
    responses=SERVED,
)
async def get_picture(ctx: Ctx, name: Segment, file: Segment, if_none_match: IfNoneMatch = None) -> Response:
    """`file` is `160.webp`, `480.webp` or `1200.webp`. What was uploaded is not served, only what was made of it."""
    if NAME.fullmatch(name) is None or not is_file(file):
        raise PictureNotFound("There is no picture at this address.")
    content = await stored(ctx, size_key(name, file))
    if content is None:
        raise PictureNotFound("There is no picture at this address.")
    return served(content, f'"{name}-{file.removesuffix(".webp")}"', if_none_match)


async def stored(ctx: Context, key: str) -> bytes | None:
    """The object, None when there is none. Raises: StoreSilent."""
    try:
        return await asyncio.to_thread(store_of(ctx).get, key)
    except StoreFailed as error:
        raise StoreSilent("The store of pictures does not answer.") from error


def served(content: bytes, etag: str, if_none_match: str | None) -> Response:
    """The picture, or 304 for whoever has it."""
    headers = {"ETag": etag, **_FOREVER}
    if etags.matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="image/webp", headers=headers)
