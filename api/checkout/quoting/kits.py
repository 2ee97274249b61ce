"""Kits in a request: what they are made of is read after the rest, by requests that have one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import orjson

from api.catalog.queries.offers import Component, Kit, kits_of
from api.checkout.quoting.offers import Offer, Quote, WantedLine
from api.delivery.promises import Origin
from api.inventory.warehouses.kept import origins_of
from api.kernel.context import Context
from api.kernel.languages import Reader
from api.orders.kits.bought import KitBought


async def with_kits(ctx: Context, quote: Quote, kits: Collection[Offer], language: str) -> Quote:
    """The quote with what these offers of it are made of, and with the offers of that. `language`: of their titles."""
    async with ctx.db.read() as tx:
        found = await kits_of(tx, [offer.variant_id for offer in kits])
    reader = ctx.settings.languages.reader(language)
    edition = next((kit.edition for kit in found.values() if kit.edition is not None), None)
    origins = {} if edition is None else await origins_of(ctx.db, edition)
    made = [_made(offer, found[offer.variant_id], origins, reader) for offer in kits]
    components = {one.variant_id: one for offer in made for one in offer.components}
    return replace(quote, offers={**components, **quote.offers, **{offer.variant_id: offer for offer in made}})


def kits_bought(lines: Sequence[WantedLine], offers: Mapping[UUID, Offer]) -> dict[UUID, KitBought]:
    """The kits of an order by their variants, as its lines keep them."""
    units: dict[UUID, int] = {}
    for line in lines:
        if offers[line.variant_id].components:
            units[line.variant_id] = units.get(line.variant_id, 0) + line.quantity
    return {
        variant_id: KitBought(
            variant_id=variant_id,
            product_id=(offer := offers[variant_id]).product_id,
            title=offer.title,
            sku=offer.sku,
            quantity=quantity,
            price=offer.sold_as.price,
        )
        for variant_id, quantity in units.items()
    }


def _made(offer: Offer, kit: Kit, origins: Mapping[UUID, Origin], reader: Reader) -> Offer:
    gone = kit.withdrawn
    return replace(
        offer,
        for_sale=offer.for_sale and gone is None and bool(kit.components),
        sold_as=offer.sold_as._replace(parts=kit.parts(offer.sold_as.price, origins)),
        components=[_component(one, origins, reader) for one in kit.components],
        why_not=offer.why_not if gone is None or not offer.for_sale else f"its component {gone.title} is not for sale",
    )


def _component(one: Component, origins: Mapping[UUID, Origin], reader: Reader) -> Offer:
    return Offer(
        variant_id=one.variant_id,
        product_id=one.product_id,
        seller_id=one.seller_id,
        currency=one.currency,
        for_sale=one.on_sale,
        title=one.title_for(reader)[0],
        sku=one.sku,
        attributes=orjson.loads(one.attributes),
        image_url=one.thumbnail,
        list_price=one.list_price,
        category=one.category,
        condition=one.condition,
        limits=one.limits,
        sold_as=one.wanted(1, origins),
        units_in_kit=one.units,
    )
