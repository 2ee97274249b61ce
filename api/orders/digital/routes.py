"""HTTP of what was delivered online."""

from fastapi import APIRouter, Response

from api.kernel.auth import CurrentActor
from api.kernel.context import Ctx
from api.kernel.errors import MalformedRequest, NotAuthenticated, ValidationFailed
from api.kernel.problems import responses
from api.orders.commands.claims import guest_looking_up
from api.orders.digital import queries
from api.orders.digital.schemas import DigitalGoods
from api.orders.errors import OrderNotFound
from api.orders.routes import OrderId
from api.orders.schemas import LookUpOrder

router = APIRouter(tags=["orders"])


@router.get(
    "/orders/{orderId}/digital-goods",
    operation_id="listDigitalGoods",
    summary="What was delivered online of one's own order",
    responses=responses(NotAuthenticated, OrderNotFound),
)
async def list_digital_goods(ctx: Ctx, actor: CurrentActor, order_id: OrderId, response: Response) -> DigitalGoods:
    """For the buyer alone, from the moment on in which the order is paid; neither a seller nor an administrator sees
    it."""
    response.headers["Cache-Control"] = "no-store"
    async with ctx.db.read() as tx:
        return await queries.digital_goods(tx, ctx, actor, order_id)


@router.post(
    "/orders/lookup/digital-goods",
    operation_id="lookUpDigitalGoods",
    summary="A guest's digital goods by order number, e-mail address and mailed code",
    responses=responses(OrderNotFound, MalformedRequest, ValidationFailed),
)
async def look_up_digital_goods(ctx: Ctx, body: LookUpOrder, response: Response) -> DigitalGoods:
    """As the guest sees it, until an account has the order."""
    response.headers["Cache-Control"] = "no-store"
    order_id, guest = await guest_looking_up(ctx, body)
    async with ctx.db.read() as tx:
        return await queries.digital_goods(tx, ctx, guest, order_id)
