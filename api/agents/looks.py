"""What a session looks like now: lines, totals, options and messages, by the price and promise of carts and orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from api.agents.errors import Refused
from api.agents.schemas import Content, Form, WantedItem
from api.catalog.purchase import Occasion, Option, Purchase, purchase
from api.catalog.queries.offers import Sold, Taking, sold_now
from api.catalog.restrictions.rules import not_sold_to
from api.checkout.dividing.destinations import checked_address
from api.checkout.schemas import GivenAddress
from api.delivery.addresses import Checked, Needed, every_part
from api.delivery.errors import AddressNotValid
from api.delivery.promises import SPEEDS, Speed
from api.inventory.warehouses.kept import origins_of
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.idempotency import Stored
from api.kernel.money import ZERO, minor_units
from api.kernel.settings import Settings
from api.pricing.tariff import engine
from api.pricing.totals import LineTax

VERSION = "2026-04-17"
HANDLER = "card"
_SPEC = "https://acp.dev"
_TITLES = {"standard": "Standard", "prime_2day": "Prime, two days", "prime_next_day": "Prime, next day"}
_FIELDS = {"street": "line_one", "zipCode": "postal_code"}
Json = dict[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Look:
    """A session as it is offered now. `body`: what it says of it, without what its row alone knows. `total`: what an
    order of it costs; `address`: where it goes, once it is known and right."""

    body: Json
    total: Decimal
    address: GivenAddress | None

    @property
    def ready(self) -> bool:
        return bool(self.body["status"] == "ready_for_payment")


async def look(ctx: Context, content: Content, before: Mapping[str, Any] | None = None) -> Look:
    """`before`: the session as the agent saw it last; a price that has changed since is told.

    Raises: Refused, for an item that the shop does not have, or whose currency is another.
    """
    async with ctx.db.read() as tx:
        offers = await sold_now(tx, [item.variant_id for item in content.items])
    _require_known(content, offers)
    # Of what was read last.
    editions = [offer.kit.edition for offer in offers.values() if offer.kit is not None]
    origins = await origins_of(ctx.db, (editions or [offers[content.items[0].variant_id].edition])[0])
    messages: list[Json] = []
    online = all(offers[item.variant_id].digital for item in content.items)
    going = _going(content, messages, engine(ctx.settings).needs if online else every_part)
    occasion = Occasion.of(ctx.settings, clock.now(), place=going[1].place if going else None)
    country = occasion.place.country
    taking, buyable = Taking(), list[WantedItem]()
    for item in content.items:
        offer = offers[item.variant_id]
        if _can_be_had(offer, item.quantity, country) and taking.left(offer) >= item.quantity:
            buyable.append(item)
            taking.take(offer, item.quantity)
    speed: Speed = next((one for one in SPEEDS if one == content.option), "standard")
    bought = purchase(
        [offers[item.variant_id].wanted(item.quantity, origins) for item in buyable], occasion, speed, explained=False
    )
    taxes = dict[UUID, LineTax]()
    for one, tax in zip(bought.wanted, bought.totals.lines, strict=True):
        whole = one.kit or one.variant_id
        taxes[whole] = tax._replace(amount=tax.amount + taxes[whole].amount) if whole in taxes else tax
    lines = [
        _line(ctx.settings, offers[item.variant_id], item.quantity, taxes.get(item.variant_id))
        for item in content.items
    ]
    messages += _of_lines(content, offers, country, before)
    messages += _of_shared(content, offers, country, taxes)
    if going and buyable and bought.chosen is None:
        messages.append(error("region_restricted", "It is not delivered there.", "$.fulfillment_details.address"))
    if content.email is None:
        needed = "The buyer's e-mail address is needed."
        messages.append(error("missing", needed, "$.buyer.email", "requires_buyer_input"))
    ready = not any(message["type"] == "error" for message in messages)
    way = "digital" if all(offers[item.variant_id].digital for item in buyable) and buyable else "shipping"
    chosen = [] if bought.chosen is None else [bought.chosen]
    body = {
        "protocol": {"version": VERSION},
        "capabilities": _capabilities(ctx.settings),
        "status": "ready_for_payment" if ready else "not_ready_for_payment",
        "currency": content.currency.lower(),
        **_said("buyer", content.buyer),
        "line_items": lines,
        **_said("fulfillment_details", content.fulfillment),
        "fulfillment_options": [_option(one, way) for one in bought.options or chosen],
        "selected_fulfillment_options": [_selected(one, content, way) for one in chosen],
        "totals": _totals(bought),
        "messages": messages,
        "links": [],
    }
    return Look(body, bought.totals.total, going[0] if going else None)


def shown(session_id: UUID, body: Json, *, created: datetime, updated: datetime, expires: datetime) -> Json:
    """The body of a session: a look, with what its row knows."""
    return {
        "id": str(session_id),
        **body,
        "created_at": instant(created),
        "updated_at": instant(updated),
        "expires_at": instant(expires),
    }


def answer(view: Json, status: int) -> Stored:
    return Stored(status, orjson.dumps(view))


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def offered_options(view: Mapping[str, Any]) -> dict[str, str]:
    """The options that a session shows, with their types."""
    return {option["id"]: option["type"] for option in view["fulfillment_options"]}


def info(content: str) -> Json:
    return {"type": "info", "content_type": "plain", "content": content}


def error(code: str, content: str, param: str | None = None, resolution: str = "recoverable") -> Json:
    """A message of what keeps a session from being completed."""
    named = {} if param is None else {"param": param}
    return {
        "type": "error", "code": code, **named, "resolution": resolution, "content_type": "plain", "content": content,
    }  # fmt: skip


def price_change(content: str, param: str) -> Json:
    return {
        "type": "warning", "code": "price_change", "resolution": "requires_buyer_review", "param": param,
        "content_type": "plain", "content": content,
    }  # fmt: skip


def _require_known(content: Content, offers: Mapping[UUID, Sold]) -> None:
    for place, item in enumerate(content.items):
        offer = offers.get(item.variant_id)
        if offer is None:
            raise Refused(400, "invalid_item_id", "The shop has no such item.", param=f"$.line_items[{place}].id")
        if offer.currency != content.currency:
            raise Refused(400, "unsupported_currency", f"This item is sold in {offer.currency}.", param="$.currency")


def _can_be_had(offer: Sold, units: int, country: str) -> bool:
    return offer.on_sale and offer.to_be_had >= units and not offer.barred_in(country)


def _going(content: Content, messages: list[Json], needed: Needed) -> tuple[GivenAddress, Checked] | None:
    """Where it goes; what is missing of what is `needed`, or wrong, becomes a message."""
    place = "$.fulfillment_details.address"
    given = None if content.fulfillment is None else content.fulfillment.address
    if given is None:
        messages.append(error("missing", "The address is needed.", place, "requires_buyer_input"))
        return None
    address = GivenAddress(
        street=", ".join(filter(None, (given.line_one, given.line_two))) if given.line_one else None,
        city=given.city or None,
        state=given.state or None,
        zip_code=given.postal_code or None,
        country=given.country,
        name=given.name,
    )
    try:
        return address, checked_address(address, None, needed)
    except AddressNotValid as wrong:
        for one in wrong.errors or ():
            field = one.pointer.rpartition("/")[2]
            messages.append(
                error("invalid", one.message, f"{place}.{_FIELDS.get(field, field)}", "requires_buyer_input")
            )
        return None


def _line(settings: Settings, offer: Sold, units: int, tax: LineTax | None) -> Json:
    """`tax` is None for what cannot be had."""
    goods, amount = offer.price * units, ZERO if tax is None else tax.amount
    added = ZERO if tax is None or tax.included else amount
    attributes = orjson.loads(offer.attributes)
    backorder = offer.on_sale and offer.stock < units <= offer.to_be_had
    status = "backorder" if backorder else "in_stock" if tax is not None else "out_of_stock"
    image = offer.thumbnail
    return {
        "id": str(offer.variant_id),
        "item": {"id": str(offer.variant_id)},
        "quantity": units,
        "name": offer.title,
        "images": [f"{settings.api_url.rstrip('/')}{image}" if image.startswith("/") else image],
        "unit_amount": minor_units(offer.price),
        "product_id": str(offer.product_id),
        "variant_id": str(offer.variant_id),
        "sku": offer.sku,
        "variant_options": [{"name": name, "value": str(value)} for name, value in attributes.items()],
        "availability_status": status,
        "available_quantity": offer.to_be_had if offer.on_sale else 0,
        "totals": [
            _total("items_base_amount", "Items", goods),
            _total("subtotal", "Subtotal", goods),
            _total("tax", "Tax", added, _contained(amount - added)),
            _total("total", "Total", goods + added),
        ],
    }


def _of_lines(
    content: Content, offers: Mapping[UUID, Sold], country: str, before: Mapping[str, Any] | None
) -> list[Json]:
    """What is to be said of the lines: what cannot be had, and what has another price than the agent has seen."""
    seen = {line["id"]: line["unit_amount"] for line in before["line_items"]} if before else {}
    messages = []
    for place, item in enumerate(content.items):
        offer, path = offers[item.variant_id], f"$.line_items[{place}]"
        if not offer.on_sale:
            messages.append(error("not_found", f"{offer.title} is no longer on sale.", path))
        elif offer.to_be_had == 0:
            messages.append(error("out_of_stock", f"{offer.title} is out of stock.", path))
        elif offer.to_be_had < item.quantity:
            few = f"Only {offer.to_be_had} of {offer.title} can be had."
            messages.append(error("quantity_exceeded", few, f"{path}.quantity"))
        if offer.barred_in(country):
            messages.append(error("region_restricted", f"{offer.title} is {not_sold_to(country)}.", path))
        elif offer.min_age is not None:
            # The protocol has no place for a day of birth, and nobody's word of it is the buyer's.
            aged = f"{offer.title} is sold from {offer.min_age} years of age on, and not through agents."
            messages.append(error("age_verification_required", aged, path))
        price = minor_units(offer.price)
        if seen.get(str(item.variant_id), price) != price:
            messages.append(price_change(f"The price of {offer.title} has changed.", f"{path}.unit_amount"))
    return messages


def _of_shared(
    content: Content, offers: Mapping[UUID, Sold], country: str, taxes: Mapping[UUID, LineTax]
) -> list[Json]:
    """What is there, but not next to the lines before it, which take units of the same variants: kits do."""
    messages = []
    for place, item in enumerate(content.items):
        offer = offers[item.variant_id]
        if item.variant_id not in taxes and _can_be_had(offer, item.quantity, country):
            few = f"The lines before it leave too few of {offer.title}."
            messages.append(error("quantity_exceeded", few, f"$.line_items[{place}].quantity"))
    return messages


def _option(option: Option, way: str) -> Json:
    """`way`: shipping, also where some of it is delivered online, or digital."""
    if way == "digital":
        totals = [_total("total", "Delivery online", option.fee.amount)]
        return {"type": way, "id": option.promise.speed, "title": "Online, when it is paid", "totals": totals}
    return {
        "type": way,
        "id": option.promise.speed,
        "title": _TITLES[option.promise.speed],
        "description": option.promise.text,
        "earliest_delivery_time": _at(datetime.combine(option.promise.first, time.min)),
        "latest_delivery_time": _at(datetime.combine(option.promise.last, time(23, 59, 59))),
        "totals": [_total("total", "Shipping", option.fee.amount)],
    }


def _selected(option: Option, content: Content, way: str) -> Json:
    return {
        "type": way,
        "option_id": option.promise.speed,
        "item_ids": [str(item.variant_id) for item in content.items],
    }


def _totals(bought: Purchase) -> list[Json]:
    """They add up: total = subtotal + fulfillment + tax. Tax that is in the prices is told, not added."""
    sums = bought.totals
    return [
        _total("items_base_amount", "Items", sums.subtotal),
        _total("subtotal", "Subtotal", sums.subtotal),
        _total("fulfillment", "Shipping", sums.shipping),
        _total("tax", "Tax", sums.tax - sums.tax_included, _contained(sums.tax_included)),
        _total("total", "Total", sums.total),
    ]


def _total(kind: str, text: str, amount: Decimal, description: str | None = None) -> Json:
    said = {} if description is None else {"description": description}
    return {"type": kind, "display_text": text, "amount": minor_units(amount), **said}


def _contained(tax: Decimal) -> str | None:
    return f"The prices contain {tax:.2f} of tax." if tax else None


def _capabilities(settings: Settings) -> Json:
    gateway = settings.payment_gateway
    handler = {
        "id": HANDLER,
        "name": "dev.acp.tokenized.card",
        "display_name": "Card",
        "version": "2026-01-22",
        "spec": f"{_SPEC}/handlers/tokenized.card",
        "requires_delegate_payment": True,
        "requires_pci_compliance": False,
        "psp": gateway,
        "config_schema": f"{_SPEC}/schemas/handlers/tokenized.card/config.json",
        "instrument_schemas": [f"{_SPEC}/schemas/handlers/tokenized.card/instrument.json"],
        "config": {"merchant_id": "souk", "psp": gateway, "supports_3ds": False},
    }
    return {"payment": {"handlers": [handler]}, "interventions": {"supported": []}}


def _said(name: str, form: Form | None) -> Json:
    return {} if form is None else {name: form.model_dump(mode="json", exclude_none=True)}


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
