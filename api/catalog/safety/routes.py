"""HTTP of product safety data."""

from fastapi import APIRouter, Response

from api.catalog.errors import ProductNotFound
from api.catalog.routes import ProductId
from api.catalog.safety import commands
from api.catalog.schemas import Safety
from api.kernel.auth import SellerActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.problems import responses

router = APIRouter(prefix="/products/{productId}/safety", tags=["catalog"])


@router.put(
    "",
    status_code=204,
    operation_id="setProductSafety",
    summary="Say who answers for a product's safety, and its warnings",
    responses=responses(ProductNotFound, NotAuthenticated, Forbidden, ValidationFailed),
)
async def set_product_safety(ctx: Ctx, actor: SellerActor, product_id: ProductId, body: Safety) -> Response:
    """Replace it, for one's own product; its page shows it as `safety`."""
    await commands.set_safety(ctx, actor, product_id, body)
    return Response(status_code=204)
