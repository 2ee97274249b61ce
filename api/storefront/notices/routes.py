"""HTTP of reports about products, and of what follows from them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.catalog.approval.errors import SellerNotVerified
from api.catalog.errors import ProductChanged, ProductNotFound
from api.catalog.routes import ProductId
from api.kernel.auth import AdminActor, CurrentActor, SellerActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, TooManyRequests, ValidationFailed
from api.kernel.pagination import Page, by_id, by_time, page_of, pagination, place_of
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.storefront.notices import commands, queries
from api.storefront.notices.errors import (
    AlreadyContested,
    DecisionNotFound,
    NotContestable,
    OwnProduct,
    ReportNotFound,
    ReportsChanged,
    ReportsDecided,
)
from api.storefront.notices.schemas import (
    ObjectionDecisionIn,
    ObjectionIn,
    OpenObjectionList,
    OwnDecision,
    OwnDecisionList,
    ProductReportIn,
    ProductReportList,
    ReportBody,
    ReportDecisionBody,
    ReportDecisionIn,
    ReportedProductList,
    ReportLookUp,
    ReportReceipt,
)

router = APIRouter(tags=["reports"])
DecisionId = Annotated[UUID, Depends(id_in_path("decisionId", DecisionNotFound))]
_SIGNED = (NotAuthenticated, Forbidden, ValidationFailed)
_REPORTED, _OBJECTIONS, _DECISIONS = "reported-products", "open-objections", "own-decisions"


@router.put(
    "/products/{productId}/report",
    operation_id="reportProduct",
    summary="Report a product as unlawful or unsafe",
    responses=responses(NotAuthenticated, ProductNotFound, OwnProduct, ValidationFailed, TooManyRequests),
)
async def report_product(ctx: Ctx, actor: CurrentActor, product_id: ProductId, body: ProductReportIn) -> ReportReceipt:
    """For everybody, guests too. Administrators read it; whoever reports is told by mail what they decide, and sees it
    with the receipt's token. Until then a second report of the same person joins the first."""
    return await commands.report(ctx, actor, product_id, body)


@router.post(
    "/product-reports/lookup",
    operation_id="lookUpReport",
    summary="What became of a report, by the token of its receipt",
    responses=responses(ReportNotFound, ValidationFailed),
)
async def look_up_report(ctx: Ctx, body: ReportLookUp) -> ReportBody:
    """`open`, `kept` or `removed`, with the statement of reasons."""
    return await commands.look_up(ctx, body.token)


@router.get(
    "/admin/products/reported",
    operation_id="listReportedProducts",
    summary="Products with open reports",
    responses=responses(*_SIGNED),
)
async def list_reported_products(ctx: Ctx, actor: AdminActor, page: Page) -> ReportedProductList:
    """Those that have waited longest first; continue with `nextCursor`, not with `page`."""
    async with ctx.db.read() as tx:
        shown, more = await queries.reported(tx, actor, page, place_of(page, ctx.keys, _REPORTED, by_time))
    following = page_of(page, ctx.keys, _REPORTED, shown, lambda one: (one.first_report_at, one.product_id), more=more)
    return ReportedProductList(products=shown, pagination=following)


@router.get(
    "/admin/products/{productId}/reports",
    operation_id="listProductReports",
    summary="What people report about a product",
    responses=responses(*_SIGNED, ProductNotFound),
)
async def list_product_reports(ctx: Ctx, actor: AdminActor, product_id: ProductId, page: Page) -> ProductReportList:
    """Open and decided ones, the newest first; continue with `nextCursor`."""
    listing = f"reports:{product_id}"
    before = place_of(page, ctx.keys, listing, by_id)
    async with ctx.db.read() as tx:
        shown, last = await queries.reports_of(tx, actor, product_id, page, before)
    following = None if last is None else [last]
    return ProductReportList(reports=shown, pagination=pagination(page, ctx.keys, listing, None, following))


@router.put(
    "/admin/products/{productId}/reports/decision",
    operation_id="decideReports",
    summary="Decide about a product's open reports",
    responses=responses(*_SIGNED, ProductNotFound, ReportNotFound, ReportsChanged, ReportsDecided),
)
async def decide_reports(
    ctx: Ctx, actor: AdminActor, product_id: ProductId, body: ReportDecisionIn
) -> ReportDecisionBody:
    """About those that were `seen`: 409 when there are others now, or another administrator was first. What is removed
    is off sale at once, and not sold again before an administrator says so. Reporters and the seller are told by mail,
    with the statement of reasons."""
    return await commands.decide(ctx, actor, product_id, body)


@router.get(
    "/sellers/me/report-decisions",
    operation_id="listOwnReportDecisions",
    summary="What was decided about reports of the seller's products",
    responses=responses(*_SIGNED),
)
async def list_own_report_decisions(ctx: Ctx, actor: SellerActor, page: Page) -> OwnDecisionList:
    """The newest first, each with the statement of reasons; continue with `nextCursor`. Who reported is not told."""
    async with ctx.db.read() as tx:
        shown, more = await queries.own_decisions(tx, actor, page, place_of(page, ctx.keys, _DECISIONS, by_time))
    following = page_of(page, ctx.keys, _DECISIONS, shown, lambda one: (one.created_at, one.decision_id), more=more)
    return OwnDecisionList(decisions=shown, pagination=following)


@router.put(
    "/sellers/me/report-decisions/{decisionId}/objection",
    operation_id="contestDecision",
    summary="Say why a product should not have been taken off sale",
    responses=responses(*_SIGNED, DecisionNotFound, NotContestable, AlreadyContested),
)
async def contest_decision(ctx: Ctx, actor: SellerActor, decision_id: DecisionId, body: ObjectionIn) -> OwnDecision:
    """Once; the same words again are that once. An administrator decides, and the seller is told by mail."""
    return await commands.object_to(ctx, actor, decision_id, body)


@router.get(
    "/admin/objections",
    operation_id="listObjections",
    summary="Sellers' objections that wait for an administrator",
    responses=responses(*_SIGNED),
)
async def list_objections(ctx: Ctx, actor: AdminActor, page: Page) -> OpenObjectionList:
    """The oldest first; continue with `nextCursor`."""
    async with ctx.db.read() as tx:
        shown, more = await queries.open_objections(tx, actor, page, place_of(page, ctx.keys, _OBJECTIONS, by_time))
    following = page_of(page, ctx.keys, _OBJECTIONS, shown, lambda one: (one.created_at, one.decision_id), more=more)
    return OpenObjectionList(objections=shown, pagination=following)


@router.put(
    "/admin/objections/{decisionId}/decision",
    operation_id="decideObjection",
    summary="Decide about a seller's objection",
    responses=responses(*_SIGNED, DecisionNotFound, ReportsDecided, ProductChanged, SellerNotVerified),
)
async def decide_objection(
    ctx: Ctx, actor: AdminActor, decision_id: DecisionId, body: ObjectionDecisionIn
) -> ReportDecisionBody:
    """`keep` lets the product be sold again at once, as the version that was looked at: 412 when its seller has changed
    it since. The seller and the reporters are told by mail."""
    return await commands.decide_objection(ctx, actor, decision_id, body)
