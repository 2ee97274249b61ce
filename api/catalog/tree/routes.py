"""HTTP of single categories."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from api.catalog.errors import CategoryNotFound
from api.catalog.tree import commands, queries
from api.catalog.tree.errors import CategoryCycle, CategoryNameTaken, CategoryNotEmpty, CategoryTooDeep
from api.catalog.tree.schemas import CategoryBody, CategoryIn, CategoryMerge, CategoryMoved, CategoryPatch
from api.kernel.auth import AdminActor
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, header_in_document

router = APIRouter(prefix="/categories", tags=["catalog"])
_ADMIN = (NotAuthenticated, Forbidden, ValidationFailed, CategoryNotFound)
CategoryId = Annotated[UUID, Depends(id_in_path("categoryId", lambda: CategoryNotFound(queries.UNKNOWN)))]


@router.post(
    "",
    status_code=201,
    operation_id="createCategory",
    summary="Add a category to the tree",
    responses=responses(*_ADMIN, CategoryNameTaken, CategoryTooDeep),
)
async def create_category(ctx: Ctx, actor: AdminActor, body: CategoryIn, response: Response) -> CategoryBody:
    """Add a category (administrators), a department when it has no parent."""
    category_id = await commands.create_category(ctx, actor, body)
    response.headers["Location"] = f"/api/v1/categories/{category_id}"
    return await _now(ctx, category_id)


@router.patch(
    "/{categoryId}",
    operation_id="changeCategory",
    summary="Rename a category, or move it with all below it",
    responses=responses(*_ADMIN, CategoryNameTaken, CategoryCycle, CategoryTooDeep),
)
async def change_category(ctx: Ctx, actor: AdminActor, category_id: CategoryId, body: CategoryPatch) -> CategoryBody:
    """Rename or move (administrators). The paths of all below it change with it; the old ones lead to the new."""
    await commands.change_category(ctx, actor, category_id, body)
    return await _now(ctx, category_id)


@router.post(
    "/{categoryId}/merge",
    operation_id="mergeCategory",
    summary="Merge a category into another one",
    responses=responses(*_ADMIN, CategoryCycle, CategoryTooDeep),
)
async def merge_category(ctx: Ctx, actor: AdminActor, category_id: CategoryId, body: CategoryMerge) -> CategoryBody:
    """Everything of the category becomes the other's (administrators), and its id and path lead there."""
    await commands.merge_category(ctx, actor, category_id, body.into)
    return await _now(ctx, body.into)


@router.delete(
    "/{categoryId}",
    status_code=204,
    operation_id="deleteCategory",
    summary="Take an empty category out of the tree",
    responses=responses(*_ADMIN, CategoryNotEmpty),
)
async def delete_category(ctx: Ctx, actor: AdminActor, category_id: CategoryId) -> Response:
    """Only one without products and categories (administrators); a product that was deleted does not count."""
    await commands.delete_category(ctx, actor, category_id)
    return Response(status_code=204)


@router.get(
    "/{category:path}",
    operation_id="getCategory",
    summary="One category with its breadcrumbs and children",
    response_model=CategoryBody,
    responses={
        308: {"description": "It is elsewhere now", "model": CategoryMoved},
        **responses(CategoryNotFound, ValidationFailed),
    },
    openapi_extra=header_in_document(),
)
async def get_category(
    *,
    ctx: Ctx,
    category: Annotated[str, Path(max_length=1_000, examples=["Electronics/Phones"])],
    reader: CurrentReader,
    response: Response,
) -> CategoryBody | Response:
    """By id, path or name. An old path, and the id of a category that was merged, answer 308 with the new address."""
    async with ctx.db.read() as tx:
        found = await queries.category_of(tx, category, reader)
    if isinstance(found, CategoryBody):
        response.headers.update(reader.headers)
        return found
    # Kept by nobody: the path may be given to another category.
    headers = {"Location": f"/api/v1/categories/{found.category_id}", "Cache-Control": "no-cache"}
    return Response(found.model_dump_json(by_alias=True), 308, headers, "application/json")


async def _now(ctx: Context, category_id: UUID) -> CategoryBody:
    async with ctx.db.read() as tx:
        languages = ctx.settings.languages
        found = await queries.category_of(tx, str(category_id), languages.reader(languages.own))
    if not isinstance(found, CategoryBody):
        raise CategoryNotFound(queries.UNKNOWN)
    return found
