"""What an order would cost and when it would arrive, by the plan that placing it makes; nothing is stored or held."""

from dataclasses import asdict
from uuid import UUID

from api.checkout.dividing.destinations import read_book
from api.checkout.quote import make_plan, read_codes, read_quote
from api.checkout.schemas import (
    OrderPreview,
    Plan,
    PlanLine,
    PreviewLine,
    PreviewOrder,
    PreviewParcel,
)
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.idempotency import RequestKey
from api.kernel.ids import new_id
from api.orders.kits.schemas import KitOfLine
from api.orders.parcels.packing import numbered


async def preview(ctx: Context, actor: Actor, request: PreviewOrder) -> OrderPreview:
    """Raises: the problems of an order that cannot be placed."""
    # A key that nobody has used: the read asks for one, and finds nothing.
    key = RequestKey(actor.key, f"preview-{new_id()}", "preview", b"")
    quote = await read_quote(ctx, actor, key, request)
    book, codes = await read_book(ctx, actor, request), await read_codes(ctx, actor, request, quote)
    plan = make_plan(ctx.settings, actor, request, quote, book=book, codes=codes)
    return OrderPreview(
        currency=plan.currency,
        subtotal=plan.subtotal,
        tax=plan.tax,
        tax_included=plan.tax_included,
        shipping=plan.shipping,
        discount=plan.discount,
        total=plan.total,
        estimated_delivery=plan.estimated_delivery,
        parcels=_parcels(plan),
    )


def _place(line: PlanLine) -> tuple[UUID, UUID, int, bool, bool]:
    return line.seller_id, line.warehouse_id, line.destination, line.expected_on is not None, line.digital


def _parcels(plan: Plan) -> list[PreviewParcel]:
    parcels = []
    for place, number in numbered(map(_place, plan.lines)).items():
        lines = [line for line in plan.lines if _place(line) == place]
        seller, _, destination, *_ = place
        parcels.append(
            PreviewParcel(
                number=number,
                seller_id=seller,
                digital=lines[0].digital,
                shipping_address=plan.destinations.get(destination, plan.address),
                promised_on=lines[0].promised_on,
                expected_on=lines[0].expected_on,
                lines=[
                    PreviewLine(
                        product_id=line.product_id,
                        variant_id=line.variant_id,
                        quantity=line.quantity,
                        price=line.unit_price,
                        tax_amount=line.taken_snapshot.tax_amount,
                        kit=None if (kit := line.taken_snapshot.kit) is None else KitOfLine(**asdict(kit)),
                    )
                    for line in lines
                ],
            )
        )
    return parcels
