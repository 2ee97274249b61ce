"""The lines of an order, from what is bought: each with what it keeps of the moment."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from api.catalog.purchase import Purchase, Wanted
from api.checkout.dividing.destinations import Bound
from api.checkout.dividing.parcels import days_of, place_of
from api.checkout.dividing.shares import Sent
from api.checkout.quoting.offers import Offer
from api.checkout.schemas import PlanLine
from api.orders.kits.bought import KitBought
from api.orders.parcels.packing import ShippingPreference
from api.orders.returns.policy import window_days
from api.orders.statements import Snapshot
from api.pricing.totals import LineTax


def plan_lines(
    bought: Purchase,
    going: Bound,
    sent: Sequence[Sent],
    *,
    offers: Mapping[UUID, Offer],
    preference: ShippingPreference,
    kits: Mapping[UUID, KitBought],
) -> list[PlanLine]:
    """A line for each allocation, or part of one that is of another line of what is wanted."""
    days = days_of(bought, lambda variant: offers[variant].seller_id, preference)
    reasons = {} if bought.choice is None else bought.choice.reasons()
    return [
        PlanLine(
            order_item_id=line.item_id,
            product_id=offers[a.variant_id].product_id,
            variant_id=a.variant_id,
            seller_id=offers[a.variant_id].seller_id,
            warehouse_id=a.warehouse_id,
            quantity=a.quantity,
            unit_price=wanted.price,
            promised_on=day.promised_on,
            expected_on=day.expected_on,
            allocation=None if a.digital else reasons.get((a.warehouse_id, a.expected_on is not None)),
            destination=going.number,
            digital=a.digital,
            snapshot=_snapshot(offers[a.variant_id], wanted, bought.totals.lines[line.place], line, kits),
        )
        for line in sent
        for a in (line.allocation,)
        for wanted in (bought.wanted[line.place],)
        for day in (days[place_of(a, offers[a.variant_id].seller_id)],)
    ]


def _snapshot(offer: Offer, wanted: Wanted, tax: LineTax, line: Sent, kits: Mapping[UUID, KitBought]) -> Snapshot:
    kit = None if wanted.kit is None else kits[wanted.kit]
    return Snapshot(
        title=offer.title,
        sku=offer.sku,
        attributes=offer.attributes,
        image_url=offer.image_url,
        list_price=offer.list_price if kit is None else _alone(offer, wanted),
        tax_rate=tax.rate,
        tax_amount=line.tax,
        tax_class=tax.tax_class,
        tax_included=tax.included,
        return_days=window_days(offer.category),
        condition=offer.condition,
        min_age=offer.limits.min_age if offer.limits else None,
        discount=line.discount,
        promotion=line.promotion,
        kit=kit,
    )


def _alone(offer: Offer, wanted: Wanted) -> Decimal | None:
    """What a part of a kit costs alone, where that is more."""
    return offer.sold_as.price if offer.sold_as.price > wanted.price else None
