"""What the invoices and credit notes of orders say, next to what was charged, given back and is left."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import pypdfium2

from tests.harness.buying import Market
from tests.harness.shop import Person

_BILLED = """
    SELECT i.order_id, sum(CASE i.kind WHEN 'invoice' THEN i.total ELSE -i.total END) AS billed,
           (SELECT sum(p.captured_amount - p.refunded_amount) FROM payments p WHERE p.order_id = i.order_id) AS kept
    FROM invoices i WHERE i.order_id = ANY(%(orders)s) GROUP BY i.order_id"""
_LINES = """
    WITH said AS (
      SELECT (line ->> 'id')::uuid AS order_item_id, sum(sign * (line ->> 'quantity')::int) AS units,
             sum(sign * (line ->> 'net')::numeric) AS net, sum(sign * (line ->> 'tax')::numeric) AS tax
      FROM (SELECT content, CASE kind WHEN 'invoice' THEN 1 ELSE -1 END AS sign
            FROM invoices WHERE order_id = ANY(%(orders)s)) i, jsonb_array_elements(content -> 'lines') line
      GROUP BY 1),
    given AS (
      SELECT order_item_id, sum(quantity) AS units, sum(goods_amount) AS net, sum(tax_amount - shipping_tax) AS tax
      FROM returns WHERE order_id = ANY(%(orders)s) AND status = 'refunded' GROUP BY 1),
    compared AS (
      SELECT o.order_item_id, coalesce(s.units, 0) AS said_units, coalesce(s.net, 0) AS said_net,
             coalesce(s.tax, 0) AS said_tax, o.quantity - coalesce(g.units, 0) AS units,
             o.subtotal - o.discount - CASE WHEN o.tax_included THEN o.tax_amount ELSE 0 END
               - coalesce(g.net, 0) AS net,
             o.tax_amount - coalesce(g.tax, 0) AS tax
      FROM order_items o LEFT JOIN said s USING (order_item_id) LEFT JOIN given g USING (order_item_id)
      WHERE o.order_id IN (SELECT order_id FROM invoices WHERE order_id = ANY(%(orders)s)))
    SELECT * FROM compared WHERE (said_units, said_net, said_tax) IS DISTINCT FROM (units, net, tax)"""

_NEGATIVE = "SELECT * FROM invoices WHERE order_id = ANY(%(orders)s) AND total < 0"


def misstated(sql: psycopg.Connection, orders: Sequence[UUID | str]) -> list[tuple[Any, ...]]:
    """Orders whose documents are not in all what was charged and not given back, and lines of which they say other
    units, net or tax than are left of them, and documents of less than nothing. Of orders without documents nothing."""
    named = {"orders": [UUID(str(order)) for order in orders]}
    unequal = f"SELECT * FROM ({_BILLED}) b WHERE billed <> kept"
    queries = (unequal, _LINES, _NEGATIVE)
    return [row for query in queries for row in sql.execute(query.encode(), named).fetchall()]


def billed(sql: psycopg.Connection, orders: Sequence[UUID]) -> int:
    """How many of them have documents."""
    return len(sql.execute(_BILLED.encode(), {"orders": list(orders)}).fetchall())


def ship(market: Market, order_id: str, seller: Person) -> None:
    """All parcels of a seller, as one does who has what was ordered."""
    shown = market.client.get(f"/api/v1/sellers/me/orders/{order_id}", headers=seller.headers).json()
    for parcel in shown["parcels"]:
        for step in ("process", "ship"):
            headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
            path = f"/api/v1/sellers/me/parcels/{parcel['parcelId']}/{step}"
            assert market.client.post(path, headers=headers).status_code == 200


def invoices(market: Market, order_id: str, who: Person | dict[str, str], **headers: str) -> list[dict[str, Any]]:
    """The documents of an order that `who` sees, a person or the headers of a guest."""
    signed = who.headers if isinstance(who, Person) else who
    answer = market.client.get(f"/api/v1/orders/{order_id}/invoices", headers={**signed, **headers})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["invoices"]
    return found


def said_by(pdf: bytes) -> str:
    """The words of a document, page by page."""
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(document[page].get_textpage().get_text_range() for page in range(len(document)))
