"""Invoices and credit notes on the wire."""

from typing import Literal

from api.kernel.money import Amount
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireId, WireTime
from api.orders.schemas import Rate

InvoiceKind = Literal["invoice", "credit_note"]


class TaxOfInvoice(Wire):
    """`rate` is a fraction; null for what cannot be said of one rate."""

    rate: Rate | None
    net: Amount
    tax: Amount
    total: Amount


class InvoiceBody(Wire):
    """One document; `pdf` is where it is. A credit note's amounts are what it gives back of the invoice `refersTo`.

    `issuer` is the store, or the marketplace where it is deemed the supplier for the tax.
    """

    invoice_id: WireId
    number: str
    kind: InvoiceKind
    order_id: WireId
    order_number: str
    seller_id: WireId
    seller_name: str
    issuer: str
    deemed_supplier: bool
    refers_to: str | None
    currency: str
    net: Amount
    tax: Amount
    total: Amount
    taxes: list[TaxOfInvoice]
    issued_at: WireTime
    pdf: str


class OrderInvoices(Wire):
    """Oldest first. There are none before the order's first parcel is shipped."""

    invoices: list[InvoiceBody]


class InvoiceList(Wire):
    invoices: list[InvoiceBody]
    pagination: Pagination
