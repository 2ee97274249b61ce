"""All that a document says, as one JSON value that is stored with it: nothing is read again when it is drawn later."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import orjson

from api.kernel.money import ZERO, to_cents
from api.orders.invoices.amounts import Bill, Billed

Kind = Literal["invoice", "credit_note"]
SHOP_NAME = "Souk"
# The issuer where the shop is deemed the supplier.
SHOP_ID = UUID(int=0)
_PREFIX: dict[Kind, str] = {"invoice": "INV", "credit_note": "CN"}


@dataclass(frozen=True, slots=True)
class Store:
    """`is_deemed_supplier`: the shop, and not the store, issues its documents."""

    seller_id: UUID
    name: str
    country: str
    is_deemed_supplier: bool

    @property
    def issuer_id(self) -> UUID:
        return SHOP_ID if self.is_deemed_supplier else self.seller_id


@dataclass(frozen=True, slots=True)
class Sale:
    """The order that a document is of."""

    order_id: UUID
    order_number: str
    currency: str
    created_at: datetime
    shipping_address: Mapping[str, object]
    country: str
    buyer_name: str | None
    payment_method: str | None


@dataclass(frozen=True, slots=True)
class Words:
    """What a document says of a line next to its amounts, from the line's snapshot. `sent_to`: where its parcel goes,
    if not to the order's address. `kit`: what it was bought as a part of."""

    title: str
    sku: str
    attributes: Mapping[str, object]
    price: Decimal
    tax_rate: Decimal
    tax_included: bool
    sent_to: Mapping[str, object] | None = None
    kit: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """The number of a document, and the invoice that a credit note is of."""

    kind: Kind
    number: str
    issued_at: datetime
    refers_to: str | None = None


def document_number(kind: Kind, issuer_id: UUID, year: int, number: int) -> str:
    """`INV-3F9A12C47B-2026-000001`: the issuer's own series."""
    issuer = "SOUK" if issuer_id == SHOP_ID else issuer_id.hex[-10:].upper()
    return f"{_PREFIX[kind]}-{issuer}-{year}-{number:06d}"


def content_of(
    sale: Sale, store: Store, bill: Bill, words: Mapping[UUID, Words], named: Reference
) -> dict[str, object]:
    """The document; amounts and rates as text, so that no reader makes floats of them.

    `shipTo` and what follows from it are there when the parcels of its lines do not all go to the order's address, and
    `kit` of a line that was bought as a part of one.
    """
    places = _places(sale, bill, words)
    lines = [_line(line, words[line.order_item_id]) for line in bill.lines]
    return {
        "kind": named.kind,
        "number": named.number,
        "issuedOn": named.issued_at.date().isoformat(),
        "refersTo": named.refers_to,
        "currency": sale.currency,
        "order": {"number": sale.order_number, "placedOn": sale.created_at.date().isoformat()},
        "paymentMethod": sale.payment_method,
        "seller": {"name": store.name, "country": store.country},
        "issuer": SHOP_NAME if store.is_deemed_supplier else store.name,
        "isDeemedSupplier": store.is_deemed_supplier,
        "buyer": _buyer(sale),
        "country": sale.country,
        "lines": lines,
        "shipping": _amounts(bill.shipping.shipping, bill.shipping.tax),
        "adjustment": _amounts(bill.adjustment.goods + bill.adjustment.shipping, bill.adjustment.tax),
        "fee": str(bill.fee),
        "taxes": _taxes(bill, words),
        "net": str(bill.net),
        "tax": str(bill.tax),
        "total": str(bill.total),
        **(_destinations(sale, bill, words, places) if _elsewhere(sale, places) else {}),
    }


def digest_of(content: Mapping[str, object], template: int) -> str:
    """SHA-256 of what makes a document's bytes: its content and the version of its drawing."""
    return hashlib.sha256(orjson.dumps([template, content], option=orjson.OPT_SORT_KEYS)).hexdigest()


def _buyer(sale: Sale) -> dict[str, object]:
    name = sale.shipping_address.get("name") or sale.buyer_name
    return {"name": None if name is None else str(name), "address": _address(sale.shipping_address)}


def _address(place: Mapping[str, object]) -> list[str]:
    said = {part: str(value) for part, value in place.items() if value}
    town = ", ".join(said[part] for part in ("city", "state") if part in said)
    lines = (said.get("street"), " ".join(filter(None, (town, said.get("zipCode")))), said.get("country"))
    return [line for line in lines if line]


def _places(sale: Sale, bill: Bill, words: Mapping[UUID, Words]) -> list[Mapping[str, object]]:
    """Where the parcels of the bill's lines go, each once, in the order of the lines."""
    found: list[Mapping[str, object]] = []
    for line in bill.lines:
        place = _place(sale, words[line.order_item_id])
        if place not in found:
            found.append(place)
    return found


def _place(sale: Sale, said: Words) -> Mapping[str, object]:
    return sale.shipping_address if said.sent_to is None else said.sent_to


def _elsewhere(sale: Sale, places: Sequence[Mapping[str, object]]) -> bool:
    return any(place != sale.shipping_address for place in places)


def _destinations(
    sale: Sale, bill: Bill, words: Mapping[UUID, Words], places: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """`shipTo`: the addresses; `shipToOfLines`: for each line the number of its own, from 1. `taxesByDestination`: when
    the destinations have other rates, net and tax of each, and with `shipTo` null what is of no line."""
    of_line = [places.index(_place(sale, words[line.order_item_id])) + 1 for line in bill.lines]
    shown = [
        {
            "name": None if place.get("name") is None else str(place["name"]),
            "address": _address(place),
            "country": str(place.get("country") or ""),
        }
        for place in places
    ]
    rates: list[set[str]] = [set() for _ in places]
    for line, number in zip(bill.lines, of_line, strict=True):
        rates[number - 1].add(_rate(words[line.order_item_id].tax_rate))
    content: dict[str, object] = {"shipTo": shown, "shipToOfLines": of_line}
    if any(one != rates[0] for one in rates):
        content["taxesByDestination"] = _by_destination(bill, words, of_line)
    return content


def _by_destination(bill: Bill, words: Mapping[UUID, Words], of_line: Sequence[int]) -> list[dict[str, object]]:
    sums: dict[tuple[int, str], list[Decimal]] = {}
    for line, number in zip(bill.lines, of_line, strict=True):
        known = sums.setdefault((number, _rate(words[line.order_item_id].tax_rate)), [ZERO, ZERO])
        known[0] += line.net
        known[1] += line.tax
    by_place = sorted(sums.items(), key=lambda item: (item[0][0], -Decimal(item[0][1])))
    rows: list[dict[str, object]] = [
        {"shipTo": number, "rate": rate, **_amounts(net, tax)} for (number, rate), (net, tax) in by_place
    ]
    net = bill.shipping.shipping + bill.adjustment.goods + bill.adjustment.shipping
    tax = bill.shipping.tax + bill.adjustment.tax
    if net or tax:
        rows.append({"shipTo": None, "rate": None, **_amounts(net, tax)})
    return rows


def _line(line: Billed, said: Words) -> dict[str, object]:
    paid = line.net + (line.tax if said.tax_included else ZERO)
    # Money that goes back without a unit takes nothing off a price.
    off = said.price * line.quantity - paid if line.quantity else ZERO
    return {
        "id": str(line.order_item_id),
        "title": said.title,
        "sku": said.sku,
        "options": ", ".join(f"{name}: {value}" for name, value in sorted(said.attributes.items())),
        "quantity": line.quantity,
        "price": str(said.price),
        "off": str(off),
        "rate": _rate(said.tax_rate),
        "taxIncluded": said.tax_included,
        **_amounts(line.net, line.tax),
        **({} if said.kit is None else {"kit": {name: said.kit[name] for name in ("variantId", "title", "quantity")}}),
    }


def _amounts(net: Decimal, tax: Decimal) -> dict[str, str]:
    return {"net": str(net), "tax": str(tax), "total": str(net + tax)}


def _rate(rate: Decimal) -> str:
    """A fraction, without the zeros that a column adds."""
    return f"{rate.normalize():f}"


def _taxes(bill: Bill, words: Mapping[UUID, Words]) -> list[dict[str, object]]:
    """Net and tax by rate, what is taxed more first; of no rate what cannot be said of one."""
    sums: dict[str | None, list[Decimal]] = {}

    def add(rate: str | None, net: Decimal, tax: Decimal) -> None:
        if net or tax:
            known = sums.setdefault(rate, [ZERO, ZERO])
            known[0] += net
            known[1] += tax

    for line in bill.lines:
        add(_rate(words[line.order_item_id].tax_rate), line.net, line.tax)
    add(_rate_of_shipping(bill, list(words.values())), bill.shipping.shipping, bill.shipping.tax)
    add(None, bill.adjustment.goods + bill.adjustment.shipping, bill.adjustment.tax)
    by_rate = sorted(sums.items(), key=lambda item: (item[0] is None, -Decimal(item[0] or 0)))
    return [{"rate": rate, **_amounts(net, tax)} for rate, (net, tax) in by_rate]


def _rate_of_shipping(bill: Bill, words: Sequence[Words]) -> str | None:
    """The rate of the order's lines that explains the tax on shipping to the cent; the order does not keep it."""
    net, tax = bill.shipping.shipping, bill.shipping.tax
    if not tax:
        return "0"
    near = [said.tax_rate for said in words if abs(to_cents(net * said.tax_rate) - tax) <= Decimal("0.01")]
    return _rate(max(near)) if near else None
