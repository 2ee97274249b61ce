"""HTTP of the queue of products that wait for an administrator, and of what was decided."""

from fastapi import APIRouter

from api.catalog.approval import commands, queries
from api.catalog.approval.errors import AlreadyDecided, NothingToDecide, SellerNotVerified
from api.catalog.approval.schemas import Decision, DecisionIn, DecisionList, WaitingList
from api.catalog.errors import ProductChanged, ProductNotFound
from api.catalog.routes import ProductId
from api.kernel.auth import AdminActor, SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Page, by_id, by_time, page_of, place_of
from api.kernel.problems import responses

router = APIRouter(tags=["approval"])
_ASKING = (NotAuthenticated, Forbidden, ValidationFailed)
_QUEUE = "queued-products"


@router.get(
    "/admin/products/review",
    operation_id="listQueuedProducts",
    summary="Products that wait for an administrator",
    responses=responses(*_ASKING),
)
async def list_queued_products(ctx: Ctx, actor: AdminActor, page: Page) -> WaitingList:
    """The oldest first, each with what speaks against it; continue with `nextCursor`, not with `page`. What waits for
    its seller's verification is not among them."""
    after = place_of(page, ctx.keys, _QUEUE, by_time)
    async with ctx.db.read() as tx:
        shown, more = await queries.waiting(tx, actor, page, after)
    following = page_of(page, ctx.keys, _QUEUE, shown, lambda one: (one.queued_at, one.product_id), more=more)
    return WaitingList(products=shown, pagination=following)


@router.put(
    "/admin/products/{productId}/decision",
    operation_id="decideProduct",
    summary="Approve or reject a product that waits",
    responses=responses(*_ASKING, ProductNotFound, ProductChanged, AlreadyDecided, NothingToDecide, SellerNotVerified),
)
async def decide_product(ctx: Ctx, actor: AdminActor, product_id: ProductId, body: DecisionIn) -> Decision:
    """A decision is about the version that it names: 412 when the seller has changed it since, 409 when another
    administrator was first. The seller is told by mail."""
    return await commands.decide(ctx, actor, product_id, body)


@router.get(
    "/products/{productId}/decisions",
    operation_id="listProductDecisions",
    summary="What was decided about a product",
    responses=responses(*_ASKING, ProductNotFound),
)
async def list_product_decisions(ctx: Ctx, actor: SignedIn, product_id: ProductId, page: Page) -> DecisionList:
    """The newest first, for its seller and for administrators; continue with `nextCursor`."""
    listing = f"decisions:{product_id}"
    before = place_of(page, ctx.keys, listing, by_id)
    async with ctx.db.read() as tx:
        shown, more = await queries.decisions_of(tx, actor, product_id, page, before)
    following = page_of(page, ctx.keys, listing, shown, lambda one: [one.decision_id], more=more)
    return DecisionList(decisions=shown, pagination=following)
