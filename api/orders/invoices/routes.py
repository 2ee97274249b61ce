"""HTTP of invoices and credit notes."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from api.kernel.actor import Actor
from api.kernel.auth import CurrentActor, SellerActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Page, pagination, place_of
from api.kernel.problems import responses
from api.orders.commands.claims import guest_of
from api.orders.errors import InvoiceNotFound, OrderNotFound
from api.orders.invoices.access import pdf_of
from api.orders.invoices.queries import InvoiceFilter, invoices_of, sellers_invoices
from api.orders.invoices.schemas import InvoiceKind, InvoiceList, OrderInvoices
from api.orders.queries.listing import Position
from api.orders.routes import AccessReason, OrderId

router = APIRouter(tags=["orders"])


async def reader(
    ctx: Ctx,
    actor: CurrentActor,
    order_id: OrderId,
    token: Annotated[
        str | None, Header(alias="X-Order-Token", max_length=200, description="The code that was mailed to a guest")
    ] = None,
) -> Actor:
    """Who asks: a guest's mailed code opens the order that it is of, from any device."""
    return actor if token is None else await guest_of(ctx, token, order_id)


Reader = Annotated[Actor, Depends(reader)]


@router.get(
    "/orders/{orderId}/invoices",
    operation_id="listOrderInvoices",
    summary="The invoices and credit notes of an order, one of each seller",
    responses=responses(OrderNotFound, ValidationFailed),
)
async def list_order_invoices(ctx: Ctx, actor: Reader, order_id: OrderId) -> OrderInvoices:
    """All of them for the buyer and an administrator, a seller's own for the seller."""
    async with ctx.db.read() as tx:
        return OrderInvoices(invoices=await invoices_of(tx, actor, order_id))


@router.get(
    "/orders/{orderId}/invoices/{number}.pdf",
    operation_id="getInvoicePdf",
    summary="One invoice or credit note as PDF",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}},
        **responses(OrderNotFound, InvoiceNotFound, ValidationFailed),
    },
)
async def get_invoice_pdf(
    ctx: Ctx,
    actor: Reader,
    order_id: OrderId,
    number: Annotated[str, Path(max_length=40)],
    reason: AccessReason = None,
) -> Response:
    """The same bytes whenever it is asked for. The seller's copy has the buyer's country only; an administrator says
    why, which is written down (docs/privacy.md)."""
    content = await pdf_of(ctx, actor, (order_id, number), reason)
    return Response(
        content,
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{number}.pdf"', "Cache-Control": "private, no-store"},
    )


async def invoice_filter(
    kind: Annotated[InvoiceKind | None, Query()] = None,
    since: Annotated[date | None, Query(alias="from", description="issued on this day (UTC) or later")] = None,
    until: Annotated[date | None, Query(alias="to", description="issued on this day (UTC) or earlier")] = None,
) -> InvoiceFilter:
    return InvoiceFilter(kind, since, until)


@router.get(
    "/sellers/me/invoices",
    operation_id="listSellerInvoices",
    summary="The invoices and credit notes of your sales, newest first",
    responses=responses(NotAuthenticated, Forbidden, ValidationFailed),
)
async def list_seller_invoices(
    ctx: Ctx, actor: SellerActor, page: Page, wanted: Annotated[InvoiceFilter, Depends(invoice_filter)]
) -> InvoiceList:
    listing = f"seller-invoices:{actor.user_id}:{wanted.kind}:{wanted.since}:{wanted.until}"
    after = place_of(page, ctx.keys, listing, Position.of)
    async with ctx.db.read() as tx:
        found = await sellers_invoices(tx, actor, wanted, page=page, after=after)
    following = None if found.next is None else found.next.fields()
    return InvoiceList(invoices=found.invoices, pagination=pagination(page, ctx.keys, listing, None, following))
