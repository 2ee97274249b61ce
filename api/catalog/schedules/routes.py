"""HTTP of scheduled changes."""

from fastapi import APIRouter, Response

from api.catalog.errors import ProductNotFound
from api.catalog.routes import ProductId
from api.catalog.schedules import commands
from api.catalog.schedules.queries import schedule_of
from api.catalog.schedules.schemas import Schedule
from api.kernel.auth import SellerActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.problems import responses

router = APIRouter(prefix="/products/{productId}/schedule", tags=["catalog"])
_OWN = (NotAuthenticated, Forbidden, ProductNotFound)


@router.get(
    "", operation_id="getSchedule", summary="What is to happen to one's own product", responses=responses(*_OWN)
)
async def get_schedule(ctx: Ctx, actor: SellerActor, product_id: ProductId) -> Schedule:
    """A price that has begun stands there until it ends; whatever else has happened is gone."""
    async with ctx.db.read() as tx:
        return await schedule_of(tx, actor, product_id)


@router.put(
    "",
    operation_id="setSchedule",
    summary="Set what is to happen to one's own product",
    responses=responses(*_OWN, ValidationFailed),
)
async def set_schedule(ctx: Ctx, actor: SellerActor, product_id: ProductId, body: Schedule) -> Schedule:
    """Replace it. Each change happens within about a second of its moment, as a version whose author is `schedule`. A
    price that the seller sets while a scheduled one holds stays when that ends. A price that has begun goes on if it is
    sent as it is read, and may get another `to`; without it, it ends at once."""
    await commands.set_schedule(ctx, actor, product_id, body)
    async with ctx.db.read() as tx:
        return await schedule_of(tx, actor, product_id)


@router.delete(
    "",
    status_code=204,
    operation_id="removeSchedule",
    summary="Let nothing happen to one's own product",
    responses=responses(*_OWN),
)
async def remove_schedule(ctx: Ctx, actor: SellerActor, product_id: ProductId) -> Response:
    """A price that has begun ends at once."""
    await commands.set_schedule(ctx, actor, product_id, Schedule())
    return Response(status_code=204)
