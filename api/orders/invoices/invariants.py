"""Invariants of invoices and credit notes."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I25-money",
        "the invoices of an order less its credit notes are what was charged less what was refunded",
        """
        SELECT i.order_id, i.billed, p.captured, r.given FROM (
          SELECT order_id, sum(CASE kind WHEN 'invoice' THEN total ELSE -total END) AS billed
          FROM invoices GROUP BY order_id
        ) i
        LEFT JOIN (SELECT order_id, sum(captured_amount) AS captured FROM payments GROUP BY order_id) p USING (order_id)
        LEFT JOIN (
          SELECT f.order_id, sum(f.amount) AS given FROM refunds f
          WHERE f.status = 'refunded' OR EXISTS (
            SELECT 1 FROM invoices n WHERE n.order_id = f.order_id AND f.refund_id = ANY (n.refunds))
          GROUP BY f.order_id
        ) r USING (order_id)
        WHERE i.billed IS DISTINCT FROM p.captured - coalesce(r.given, 0)
          AND NOT EXISTS (
            SELECT 1 FROM outbox_events e
            WHERE e.published_at IS NULL AND e.event_type = 'RefundIssued'
              AND e.payload ->> 'orderId' = i.order_id::text)
        """,
    ),
    Check(
        "R-I25-numbers",
        "the numbers of an issuer's invoices of a year, and of its credit notes, are 1 to the last, none missing",
        """
        SELECT issuer_id, kind, year, c.last, n.documents, n.first, n.highest FROM invoice_counters c
        FULL JOIN (
          SELECT issuer_id, kind, year, count(*) AS documents, min(number) AS first, max(number) AS highest
          FROM invoices GROUP BY issuer_id, kind, year
        ) n USING (issuer_id, kind, year)
        WHERE (c.last, 1, c.last::bigint) IS DISTINCT FROM (n.highest, n.first, n.documents)
        """,
    ),
    Check(
        "R-I25-content",
        "a document's content says the amounts of its row, and its lines add up to them",
        """
        SELECT document_number, order_id, net, tax, total FROM (
          SELECT i.*, (
            SELECT coalesce(sum((part ->> 'net')::numeric), 0) FROM (
              SELECT jsonb_array_elements(i.content -> 'lines') UNION ALL SELECT i.content -> 'shipping'
              UNION ALL SELECT i.content -> 'adjustment') AS parts(part)
          ) AS of_parts, (
            SELECT coalesce(sum((row ->> 'tax')::numeric), 0) FROM jsonb_array_elements(i.content -> 'taxes') AS row
          ) AS of_taxes
          FROM invoices i
        ) said
        WHERE (content ->> 'net')::numeric <> net OR (content ->> 'tax')::numeric <> tax
           OR (content ->> 'total')::numeric <> total OR of_parts <> net OR of_taxes <> tax
        """,
    ),
    Check(
        "R-I25-sign",
        "no document is of less than nothing: what rises is on an invoice, what falls on a credit note",
        "SELECT document_number, order_id, net, tax, total FROM invoices WHERE total < 0",
    ),
    Check(
        "R-I25-late",
        "an order from which a parcel was shipped more than ten minutes ago has its invoices",
        """
        SELECT DISTINCT p.order_id FROM parcels p
        WHERE p.origin = 'native' AND p.shipped_at BETWEEN now() - interval '2 days' AND now() - interval '10 minutes'
          AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.order_id = p.order_id)
        """,
    ),
)
