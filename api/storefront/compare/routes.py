"""HTTP of comparisons."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.catalog.errors import ProductNotFound
from api.kernel.context import Ctx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.ids import parse_id
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, header_in_document
from api.storefront.compare import queries
from api.storefront.compare.schemas import Comparison

router = APIRouter(prefix="/products/compare", tags=["storefront"])
MOST = 6


@router.get(
    "",
    operation_id="compareProducts",
    summary="Products side by side",
    responses=responses(ProductNotFound, ValidationFailed),
    openapi_extra=header_in_document(),
)
async def compare_products(
    ctx: Ctx,
    ids: Annotated[str, Query(max_length=400, description="Two to six product ids, separated by commas")],
    reader: CurrentReader,
    response: Response,
) -> Comparison:
    """One row per attribute; numbers in the unit that the category defines."""
    response.headers.update(reader.headers)
    async with ctx.db.read() as tx:
        return await queries.compare(tx, _ids_of(ids), reader)


def _ids_of(text: str) -> list[UUID]:
    parts = [part.strip() for part in text.split(",")]
    known = list(dict.fromkeys(one for part in parts if (one := parse_id(part)) is not None))
    if len(known) != len(parts) or not 2 <= len(known) <= MOST:
        message = f"must be 2 to {MOST} different product ids, separated by commas"
        raise ValidationFailed("Name the products.", errors=[FieldError(pointer="/query/ids", message=message)])
    return known
