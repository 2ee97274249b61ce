"""Invariants of payments, in the shop's tables and in the ledgers of the sandbox gateways."""

from api.kernel.invariants import Check

# One row per gateway and authorization key, with what the gateway did under it.
_LEDGER = """
  SELECT gateway, coalesce(parent_key, key) AS gateway_key,
         coalesce(sum(amount) FILTER (WHERE kind = 'authorisation' AND status = 'authorised'), 0) AS authorised,
         coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0) AS captured,
         count(*) FILTER (WHERE kind = 'capture') AS captures,
         coalesce(sum(amount) FILTER (WHERE kind = 'void'), 0) AS voided,
         coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded
  FROM gateway_entries GROUP BY 1, 2
"""
CHECKS: tuple[Check, ...] = (
    Check(
        "R-I6-payments",
        "for every payment the gateway authorised, captured, voided and refunded exactly what we recorded, each"
        " capture once",
        f"""
        SELECT p.gateway, p.gateway_key, p.status, p.amount, p.captured_amount, p.refunded_amount,
               g.authorised, g.captured, g.captures, g.voided, g.refunded
        FROM payments p LEFT JOIN ({_LEDGER}) g USING (gateway, gateway_key)
        WHERE p.captured_amount <> coalesce(g.captured, 0)
           OR p.refunded_amount <> coalesce(g.refunded, 0)
           OR coalesce(g.captures, 0) > 1
           OR (p.status IN ('authorised', 'captured') AND g.authorised IS DISTINCT FROM p.amount)
           OR (p.status = 'authorised' AND g.voided <> 0)
           OR (p.status NOT IN ('authorised', 'captured') AND coalesce(g.authorised, 0) <> coalesce(g.voided, 0))
        """,
        gateway=True,
    ),
    Check(
        "R-I6-gateway",
        "the gateway holds or took no money that we have no payment for, or that we never asked it for",
        f"""
        SELECT g.gateway, g.gateway_key, g.authorised, g.captured, g.voided
        FROM ({_LEDGER}) g LEFT JOIN payments p USING (gateway, gateway_key)
        WHERE p.payment_id IS NULL AND (g.captured <> 0 OR g.refunded <> 0 OR g.authorised <> g.voided)
        """,
        gateway=True,
    ),
    Check(
        "R-I6-twice",
        "no purchase was captured under two keys",
        """
        SELECT reference, count(*) AS captures, sum(amount) AS captured FROM gateway_entries
        WHERE kind = 'capture' AND reference <> ''
        GROUP BY reference HAVING count(DISTINCT coalesce(parent_key, key)) > 1
        """,
        gateway=True,
    ),
    Check(
        "R-I7-refunds",
        "the refunded amount of a payment is the sum of its refunds",
        """
        SELECT p.payment_id, p.refunded_amount, coalesce(r.amount, 0) AS refunds
        FROM payments p
        LEFT JOIN (
          SELECT payment_id, sum(amount) AS amount FROM refunds WHERE status = 'refunded' GROUP BY payment_id
        ) r USING (payment_id)
        WHERE p.refunded_amount <> coalesce(r.amount, 0)
        """,
    ),
    Check(
        "R-I7-refund-parts",
        "a refund is the sum of its goods, tax and shipping",
        """
        SELECT refund_id, order_id, amount, goods_amount, tax_amount, shipping_amount FROM refunds
        WHERE amount IS DISTINCT FROM goods_amount + tax_amount + shipping_amount
        """,
    ),
    Check(
        "R-I7-refundable",
        "the refunds that were made or asked for are no more than what was captured",
        """
        SELECT p.payment_id, p.captured_amount, r.amount AS refunds
        FROM payments p
        JOIN (
          SELECT payment_id, sum(amount) AS amount FROM refunds WHERE status <> 'failed' GROUP BY payment_id
        ) r USING (payment_id)
        WHERE r.amount > p.captured_amount
        """,
    ),
)
