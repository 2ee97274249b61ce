"""Prices an edit: a pure function of the order, today's offers and the request.

What was bought keeps its price, and its tax as long as the address does. More units are bought at today's price by the
functions of a purchase, which also give the fee of sending what is then in the order, and the days. A line whose tax is
another at the new address is taken off and added again: so its history stays as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast
from uuid import UUID

import orjson

from api.catalog.purchase import Occasion, Wanted
from api.catalog.queries.offers import Sold
from api.catalog.restrictions.rules import ToBuy, require_allowed
from api.checkout.edits.pricing import Addition, Kept, add
from api.checkout.edits.schemas import EditPlan, PlanAddition, PlanChange, PlanRemoval, StageEdit
from api.checkout.errors import NotOrderable, OutOfStock, SpeedNotOffered
from api.delivery.addresses import Checked, is_whole
from api.delivery.places import Place
from api.delivery.promises import Origin, Speed
from api.inventory.allocation import NotEnough
from api.kernel.errors import FieldError
from api.kernel.ids import new_id
from api.kernel.money import MAX_AMOUNT, ZERO, to_cents
from api.kernel.money import allocate as split
from api.orders.edits.errors import NotEditable, NothingToChange
from api.orders.edits.queries import Editable
from api.orders.errors import LastUnits
from api.orders.kits.bought import kit_of
from api.orders.returns.policy import window_days
from api.orders.returns.returnable import LineRefund, OrderLine, refund_of, with_unspent_sending
from api.orders.statements import Snapshot
from api.payments.parts import Parts
from api.pricing.totals import LineTax


@dataclass(frozen=True, slots=True)
class Today:
    """What an edit is priced by. `paths`: of the categories of products. `address`: the new one, None when it stays.
    `occasion` is at the address that the order has then."""

    offers: Mapping[UUID, Sold]
    paths: Mapping[UUID, str]
    origins: Mapping[UUID, Origin]
    address: Checked | None
    occasion: Occasion


@dataclass(slots=True)
class _Wish:
    """The request, line by line: units that go, and units of variants that come, with the pointers that name them."""

    removed: dict[UUID, int] = field(default_factory=dict)
    wanted: dict[UUID, int] = field(default_factory=dict)
    pointers: dict[UUID, str] = field(default_factory=dict)

    def want(self, variant_id: UUID, units: int, pointer: str) -> None:
        self.wanted[variant_id] = self.wanted.get(variant_id, 0) + units
        self.pointers.setdefault(variant_id, pointer)


@dataclass(slots=True)
class _Sum:
    """What the edit adds and takes off, in money and in words."""

    added: list[PlanAddition] = field(default_factory=list)
    again: dict[UUID, PlanAddition] = field(default_factory=dict)
    removed: dict[UUID, int] = field(default_factory=dict)
    changes: list[PlanChange] = field(default_factory=list)
    gained: Parts = field(default_factory=Parts)
    given: Parts = field(default_factory=Parts)


def variants_of(order: Editable, request: StageEdit) -> set[UUID]:
    """The variants whose offers a plan needs."""
    return {line.variant_id for line in order.lines if line.returnable} | {line.variant_id for line in request.add}


def place_of(address: Mapping[str, str]) -> Place:
    """Where an order goes."""
    return Place(address.get("country", ""), address.get("state"), address.get("zipCode"))


def plan_edit(order: Editable, request: StageEdit, today: Today) -> EditPlan:
    """Raises: NotEditable, NotOrderable, Restricted, OutOfStock, SpeedNotOffered, LastUnits, NothingToChange."""
    wish = _wish(order, request)
    moves = today.address is not None and today.address.as_json() != order.head.shipping_address
    if not wish.removed and not wish.wanted and not moves:
        raise NothingToChange("The order is like this already.")
    _require_open(order, wish, moves=moves)
    _require_offers(order, wish, today)
    _require_allowed(order, request, wish, today, moves=moves)
    stay = [line for line in order.lines if line.returnable > wish.removed.get(line.order_item_id, 0)]
    if not stay and not wish.wanted:
        raise LastUnits
    kept = [_kept(order, line, wish.removed.get(line.order_item_id, 0), today) for line in stay]
    wanted = [today.offers[variant].wanted(units, today.origins) for variant, units in wish.wanted.items()]
    addition = _added(kept, wanted, order, today, wish)
    sums = _Sum(removed=dict(wish.removed))
    _buy(sums, addition, wanted, today)
    if moves and place_of(order.head.shipping_address) != today.occasion.place:
        _retax(sums, order, list(zip(stay, kept, addition.totals.lines, strict=False)))
    _take_off(sums, order, wish)
    return _plan(order, sums, addition, today, moves=moves)


def _wish(order: Editable, request: StageEdit) -> _Wish:
    """Raises: NotOrderable for what is not a line of the order, or is named twice."""
    lines, wish, errors, seen = {line.order_item_id: line for line in order.lines}, _Wish(), [], set[UUID]()
    for index, asked in enumerate(request.lines):
        line, pointer = lines.get(asked.order_item_id), f"/lines/{index}/orderItemId"
        if line is None:
            errors.append(FieldError(pointer=pointer, message="not a line of this order"))
        elif asked.order_item_id in seen:
            errors.append(FieldError(pointer=pointer, message="the line is named twice"))
        elif asked.quantity < line.returnable:
            wish.removed[line.order_item_id] = line.returnable - asked.quantity
        elif asked.quantity > line.returnable:
            wish.want(line.variant_id, asked.quantity - line.returnable, f"/lines/{index}/quantity")
        seen.add(asked.order_item_id)
    for index, new in enumerate(request.add):
        wish.want(new.variant_id, new.quantity, f"/add/{index}/variantId")
    if errors:
        raise NotOrderable("Correct the lines named in `errors`.", errors=errors)
    return wish


def _require_open(order: Editable, wish: _Wish, *, moves: bool) -> None:
    """Raises: NotEditable, which names the lines whose parcels are being sent."""
    if order.status not in {"confirmed", "processing"}:
        raise NotEditable(
            f"An order that is {order.status.replace('_', ' ')} cannot be changed any more.",
            extra={"orderStatus": order.status},
        )
    if any(parcel.elsewhere for parcel in order.parcels):
        raise NotEditable(
            "An order to several addresses is not edited: cancel units of it, and place another for what is missing.",
            extra={"orderStatus": order.status},
        )
    open_parcels = {parcel.parcel_id for parcel in order.parcels if parcel.open}
    sent = [
        line
        for line in order.lines
        if line.parcel_id not in open_parcels and (line.order_item_id in wish.removed or (moves and line.returnable))
    ]
    if sent:
        errors = [
            FieldError(
                pointer="/lines" if line.order_item_id in wish.removed else "/shippingAddress",
                message=f"{order.bought[line.order_item_id].title}: {_stage_of(line)}",
            )
            for line in sent
        ]
        raise NotEditable(
            "Its seller has begun to send what `errors` names.", errors=errors, extra={"orderStatus": order.status}
        )


def _stage_of(line: OrderLine) -> str:
    """How far its parcel is; one that is sent and still confirmed has its label."""
    if line.digital:
        return "it is delivered online"
    return "its label is bought" if line.status == "confirmed" else line.status.replace("_", " ")


def _require_offers(order: Editable, wish: _Wish, today: Today) -> None:
    """Raises: NotOrderable."""
    errors = []
    # What is delivered online alone may have been ordered with less than an address.
    nowhere = all(line.digital for line in order.lines) and not is_whole(order.head.shipping_address)
    for variant, pointer in wish.pointers.items():
        offer = today.offers.get(variant)
        if offer is None:
            errors.append(FieldError(pointer=pointer, message="there is no such variant"))
        elif offer.kind == "kit":
            errors.append(FieldError(pointer=pointer, message="a kit is not added to an order: place another for it"))
        elif not offer.on_sale:
            errors.append(FieldError(pointer=pointer, message="this product is not for sale"))
        elif offer.currency != order.head.currency:
            errors.append(FieldError(pointer=pointer, message=f"the order is in {order.head.currency}"))
        elif offer.digital:
            errors.append(FieldError(pointer=pointer, message="it is delivered online: place an order of it"))
        elif nowhere:
            message = "it is sent, and the order has no address for that: place another for it"
            errors.append(FieldError(pointer=pointer, message=message))
    if errors:
        raise NotOrderable("Correct or remove the items named in `errors`.", errors=errors)


def _require_allowed(order: Editable, request: StageEdit, wish: _Wish, today: Today, *, moves: bool) -> None:
    """What is added is judged as an order of it; what stays, by where it would go. Raises: Restricted."""
    country, day = today.occasion.place.country, today.occasion.now.date()

    def to_buy(variant: UUID, pointer: str) -> ToBuy:
        offer = today.offers[variant]
        return ToBuy(offer.product_id, variant, offer.title, offer.limits, country, pointer)

    require_allowed([to_buy(*one) for one in wish.pointers.items()], request.birth_date, day)
    if moves:
        stay = [line.variant_id for line in order.lines if line.returnable > wish.removed.get(line.order_item_id, 0)]
        require_allowed([to_buy(one, "/shippingAddress") for one in stay], None, day, ages=False)


def _kept(order: Editable, line: OrderLine, removed: int, today: Today) -> Kept:
    """What stays of a line."""
    bought, offer = order.bought[line.order_item_id], today.offers[line.variant_id]
    gone = Decimal(line.returned + removed)
    origin = None if line.warehouse_id is None else today.origins.get(line.warehouse_id)
    return Kept(
        units=line.returnable - removed,
        price=bought.price,
        tax_class=bought.tax_class,
        discount=line.discount - to_cents(line.discount * gone / line.quantity),
        grams=offer.weight_grams or 0,
        prime=offer.prime_eligible,
        warehouse_id=line.warehouse_id,
        origin=origin,
        digital=line.digital,
    )


def _added(kept: Sequence[Kept], wanted: Sequence[Wanted], order: Editable, today: Today, wish: _Wish) -> Addition:
    """Raises: OutOfStock, SpeedNotOffered."""
    try:
        addition = add(kept, wanted, today.occasion, cast("Speed", order.head.delivery_speed))
    except NotEnough as error:
        items = [
            {
                "variantId": str(variant),
                "productId": str(today.offers[variant].product_id),
                "requested": wish.wanted[variant],
                "available": there,
            }
            for variant, there in sorted(error.short.items())
        ]
        raise OutOfStock("Lower the quantities named in `items`, or remove them.", extra={"items": items}) from error
    if addition.promised is None and (wanted or today.address is not None):
        message = f"{order.head.delivery_speed} is not offered from the warehouses to this address"
        wrong = FieldError(pointer="/shippingAddress" if today.address else "/add", message=message)
        raise SpeedNotOffered("The order keeps its delivery speed.", errors=[wrong], extra={"offered": []})
    return addition


def _buy(sums: _Sum, addition: Addition, wanted: Sequence[Wanted], today: Today) -> None:
    """The new lines: one for each allocation; those of one variant share its tax by their units."""
    taxes = dict(zip((one.variant_id for one in wanted), addition.totals.lines[-len(wanted) :], strict=False))
    weights: dict[UUID, list[Decimal]] = {}
    for one in addition.allocations:
        weights.setdefault(one.variant_id, []).append(Decimal(one.quantity))
    shares = {variant: split(taxes[variant].amount, parts) for variant, parts in weights.items()}
    promised = addition.promised or {}
    for one in addition.allocations:
        offer, tax = today.offers[one.variant_id], taxes[one.variant_id]
        snapshot = Snapshot(
            title=offer.title,
            sku=offer.sku,
            attributes=orjson.loads(offer.attributes),
            image_url=offer.thumbnail,
            list_price=offer.list_price,
            tax_rate=tax.rate,
            tax_amount=shares[one.variant_id].pop(0),
            tax_class=tax.tax_class,
            tax_included=tax.included,
            return_days=window_days(today.paths.get(offer.product_id, "")),
            condition=offer.condition,
            min_age=offer.limits.min_age if offer.limits else None,
        )
        line = PlanAddition(
            order_item_id=new_id(),
            product_id=offer.product_id,
            variant_id=one.variant_id,
            seller_id=offer.seller_id,
            warehouse_id=one.warehouse_id,
            quantity=one.quantity,
            unit_price=offer.price,
            promised_on=promised.get(one.warehouse_id),
            snapshot=snapshot,
        )
        _gain(sums, line)
        sums.changes.append(_change("added", snapshot.title, one.quantity, _parts(line).amount))


def _retax(sums: _Sum, order: Editable, lines: Sequence[tuple[OrderLine, Kept, LineTax]]) -> None:
    """Take lines off whose tax is another at the new address, and add them again with it."""
    for line, kept, tax in lines:
        bought = order.bought[line.order_item_id]
        if (tax.rate, tax.included) == (bought.tax_rate, line.tax_included):
            continue
        if kept.discount:
            wrong = FieldError(pointer="/shippingAddress", message=f"{bought.title} was bought with a promotion")
            raise NotEditable(
                "What was bought with a promotion goes where the same tax holds.",
                errors=[wrong],
                extra={"orderStatus": order.status},
            )
        sums.removed[line.order_item_id] = line.returnable
        snapshot = Snapshot(
            title=bought.title,
            sku=bought.sku,
            attributes=bought.attributes,
            image_url=bought.image_url,
            list_price=bought.list_price,
            tax_rate=tax.rate,
            tax_amount=tax.amount,
            tax_class=tax.tax_class,
            tax_included=tax.included,
            discount=kept.discount,
            promotion=bought.promotion,
            return_days=bought.return_days,
            condition=bought.condition,
            min_age=bought.min_age,
            kit=kit_of(bought.kit),
        )
        again = PlanAddition(
            order_item_id=new_id(),
            product_id=line.product_id,
            variant_id=line.variant_id,
            seller_id=line.seller_id,
            warehouse_id=line.warehouse_id,
            quantity=kept.units,
            unit_price=kept.price,
            promised_on=None,
            moved_from=line.order_item_id,
            snapshot=snapshot,
        )
        _gain(sums, again)
        sums.again[line.order_item_id] = again


def _take_off(sums: _Sum, order: Editable, wish: _Wish) -> None:
    """What the units are worth that go; of a line that is taxed anew, apart from those that are removed."""
    lines = {line.order_item_id: line for line in order.lines}
    for item_id, units in sums.removed.items():
        title, asked = order.bought[item_id].title, wish.removed.get(item_id, 0)
        whole = refund_of(order.amounts, lines, item_id, units, outbound=False).parts
        part = refund_of(order.amounts, lines, item_id, asked, outbound=False).parts if asked else Parts()
        sums.given += whole
        if asked:
            sums.changes.append(_change("removed", title, asked, -part.amount))
        if again := sums.again.get(item_id):
            amount = _parts(again).amount - (whole - part).amount
            sums.changes.append(_change("retaxed", title, again.quantity, amount))


def _plan(order: Editable, sums: _Sum, addition: Addition, today: Today, *, moves: bool) -> EditPlan:
    head, terms = order.head, today.occasion.tariff.tax
    of_lines = sum((line.tax_amount for line in order.lines), ZERO)
    in_lines = sum((line.tax_amount for line in order.lines if line.tax_included), ZERO)
    before = _Sending(head.shipping_fee, head.tax - of_lines, head.tax_included - in_lines)
    after = before
    if not addition.sends:
        _refund_sending(sums, order)
    # Of a fee that went back in part nothing changes any more.
    elif not any(line.shipping_given or line.shipping_tax_given for line in order.lines):
        tax = addition.totals.shipping_tax
        after = _Sending(addition.totals.shipping, tax, tax if terms.shipping_included else ZERO)
    if after.parts != before.parts:
        words = f"shipping: {addition.totals.shipping_reason}"
        sums.changes.append(_change("shipping", words, None, after.parts.amount - before.parts.amount))
    sums.gained += after.parts - before.parts
    new = [line.snapshot for line in sums.added]
    subtotal = head.subtotal + sum((line.unit_price * line.quantity for line in sums.added), ZERO)
    discount = head.discount + sum((one.discount for one in new), ZERO)
    tax = of_lines + sum((one.tax_amount for one in new), ZERO) + after.tax
    included = in_lines + sum((one.tax_amount for one in new if one.tax_included), ZERO) + after.included
    total = subtotal + tax - included + after.fee - discount
    if total > MAX_AMOUNT:
        raise NotOrderable("The order is too large to be paid at once; place another.")
    delta = sums.gained - sums.given
    due = total - head.total - sums.given.amount
    if delta.amount != due:
        raise AssertionError(f"the parts of an edit of order {order.order_id} are {delta.amount} and not {due}")
    back = _netted(Parts() - delta)
    promised = dict(addition.promised or {})
    if not moves:
        promised = {line.warehouse_id: day for line in sums.added if line.warehouse_id and (day := line.promised_on)}
    known = [parcel.promised_on for parcel in order.parcels if parcel.promised_on and parcel.status != "cancelled"]
    days = [*promised.values(), *([] if moves else known)]
    return EditPlan(
        currency=head.currency,
        removed=[PlanRemoval(order_item_id=item, quantity=units) for item, units in sums.removed.items()],
        added=sums.added,
        subtotal=subtotal,
        tax=tax,
        tax_included=included,
        shipping=after.fee,
        discount=discount,
        total=total,
        due_before=order.due,
        due_after=order.due + due,
        sends=addition.sends,
        refund_goods=back.goods,
        refund_tax=back.tax,
        refund_shipping=back.shipping,
        address=today.address.as_json() if moves and today.address else None,
        promised=promised,
        estimated_delivery=max(days) if days else None,
        changes=sums.changes,
    )


def _refund_sending(sums: _Sum, order: Editable) -> None:
    """The edit leaves nothing that is sent: what sending cost goes back with it."""
    lines = {line.order_item_id: line for line in order.lines}
    off = [
        LineRefund(lines[item_id], units, refund_of(order.amounts, lines, item_id, units, outbound=False))
        for item_id, units in sums.removed.items()
    ]
    whole, others = with_unspent_sending(order.amounts, lines, off)
    back = _worth(*whole, *others) - _worth(*off)
    sums.given += back
    if back.amount:
        sums.changes.append(_change("shipping", "shipping: nothing is sent", None, -back.amount))


def _worth(*refunds: LineRefund) -> Parts:
    return sum((one.refund.parts for one in refunds), Parts())


@dataclass(frozen=True, slots=True)
class _Sending:
    """A fee, the tax on it, and the part of that which the fee contains."""

    fee: Decimal
    tax: Decimal
    included: Decimal

    @property
    def parts(self) -> Parts:
        return Parts(tax=self.tax, shipping=self.fee - self.included)


def _parts(line: PlanAddition) -> Parts:
    told = line.snapshot
    goods = line.unit_price * line.quantity - told.discount - (told.tax_amount if told.tax_included else ZERO)
    return Parts(goods, told.tax_amount)


def _gain(sums: _Sum, line: PlanAddition) -> None:
    sums.added.append(line)
    sums.gained += _parts(line)


def _netted(parts: Parts) -> Parts:
    """The parts of a refund, none less than zero: what one of them has to gain is taken off the others."""
    if parts.amount <= 0:
        return Parts()
    return Parts(*(max(part, ZERO) for part in (parts.goods, parts.tax, parts.shipping))).at_most(parts.amount)


def _change(kind: str, text: str, quantity: int | None, amount: Decimal) -> PlanChange:
    return PlanChange.model_validate({"kind": kind, "text": text, "quantity": quantity, "amount": amount})
