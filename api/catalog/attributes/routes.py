"""HTTP of attribute definitions."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.catalog.attributes import commands, queries
from api.catalog.attributes.queries import KnownAttributes
from api.catalog.attributes.schemas import AttributesIn, CategoryAttributes
from api.catalog.errors import CategoryNotFound
from api.catalog.queries.categories import find_category
from api.catalog.tree.queries import UNKNOWN
from api.catalog.tree.routes import CategoryId
from api.kernel.auth import AdminActor
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.languages import Reader
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, header_in_document

router = APIRouter(prefix="/categories/{categoryId}/attributes", tags=["catalog"])


async def known_attributes(request: Request) -> KnownAttributes:
    """The application's index."""
    return cast("KnownAttributes", request.app.state.search_index)


Known = Annotated[KnownAttributes, Depends(known_attributes)]


@router.get(
    "",
    operation_id="listAttributes",
    summary="The attributes that a category defines or inherits",
    responses=responses(CategoryNotFound, ValidationFailed),
    openapi_extra=header_in_document(),
)
async def list_attributes(
    *, ctx: Ctx, known: Known, category_id: CategoryId, reader: CurrentReader, response: Response
) -> CategoryAttributes:
    """The nearest definition of a name counts. A category that was merged answers as the one it was merged into."""
    response.headers.update(reader.headers)
    return await _now(ctx, known, category_id, reader)


@router.put(
    "",
    operation_id="setAttributes",
    summary="Define the attributes of a category",
    responses=responses(NotAuthenticated, Forbidden, ValidationFailed, CategoryNotFound),
)
async def set_attributes(
    ctx: Ctx, actor: AdminActor, known: Known, category_id: CategoryId, body: AttributesIn
) -> CategoryAttributes:
    """Replace what the category itself defines (administrators). Products keep their values until they are saved."""
    await commands.set_attributes(ctx, actor, category_id, body)
    languages = ctx.settings.languages
    return await _now(ctx, known, category_id, languages.reader(languages.own))


async def _now(ctx: Context, known: KnownAttributes, asked: UUID, reader: Reader) -> CategoryAttributes:
    async with ctx.db.read() as tx:
        category_id = await find_category(tx, str(asked))
        if category_id is None:
            raise CategoryNotFound(UNKNOWN)
        attributes = await queries.attributes_of(tx, category_id, reader)
    return CategoryAttributes(
        category_id=category_id, attributes=attributes, search_names=await known.attribute_names()
    )
