"""The checks. Each query returns the rows that break its sentence, and no row when it holds.

`:sweep` is how many seconds the sweeps may be late. Gateway checks read `gateway_entries`, a temporary copy of the
sandbox's ledger.
"""

from api import nouns
from api.kernel.invariants import Check
from api.orders.states import SOLD_STATES, TRANSITIONS

SOLD = ", ".join(f"'{state}'" for state in sorted(SOLD_STATES))
STEPS = ", ".join(
    f"('{before}', '{after}')" for before, following in sorted(TRANSITIONS.items()) for after in sorted(following)
)


STOCK = (
    Check(
        "R-I1-stock",
        "no variant and no warehouse has less than zero units",
        """
        SELECT variant_id, stock_quantity FROM product_variants WHERE stock_quantity < 0
        UNION ALL
        SELECT variant_id, available FROM warehouse_stock WHERE available < 0 OR reserved < 0 OR inbound < 0
        """,
    ),
    Check(
        "R-I2-sum",
        "a variant's stock is the sum of its inventory transactions",
        """
        SELECT v.variant_id, v.stock_quantity, coalesce(t.total, 0) AS transactions
        FROM product_variants v
        LEFT JOIN (SELECT variant_id, sum(quantity_change) AS total FROM inventory_transactions GROUP BY variant_id) t
        USING (variant_id)
        WHERE v.stock_quantity <> coalesce(t.total, 0)
        """,
    ),
    Check(
        "R-I2-chain",
        "each inventory transaction starts where the variant's previous one ended, and ends at start plus change",
        """
        SELECT variant_id, transaction_no, previous_quantity, new_quantity, expected FROM (
          SELECT variant_id, transaction_no, previous_quantity, quantity_change, new_quantity,
                 coalesce(lag(new_quantity) OVER (PARTITION BY variant_id ORDER BY transaction_no), 0) AS expected
          FROM inventory_transactions
        ) step
        WHERE previous_quantity <> expected OR new_quantity <> previous_quantity + quantity_change
        """,
    ),
    Check(
        "R-I2-warehouses",
        "a variant's stock is what its warehouses together can sell",
        """
        SELECT v.variant_id, v.stock_quantity, coalesce(w.available, 0) AS warehouses
        FROM product_variants v
        LEFT JOIN (SELECT variant_id, sum(available) AS available FROM warehouse_stock GROUP BY variant_id) w USING
        (variant_id)
        WHERE v.stock_quantity <> coalesce(w.available, 0)
        """,
    ),
    Check(
        "R-I3-sweep",
        "no reservation is active past its expiry plus one sweep",
        """
        SELECT reservation_id, checkout_id, expires_at FROM inventory_reservations
        WHERE status = 'active' AND expires_at < now() - make_interval(secs => %(sweep)s)
        """,
    ),
    Check(
        "R-I3-order",
        "a sold order's reservations are confirmed, a cancelled order's are released or expired",
        f"""
        SELECT r.reservation_id, r.status AS reservation, o.order_id, o.status AS order_status
        FROM inventory_reservations r JOIN orders o ON o.order_id = r.order_id
        WHERE (o.status IN ({SOLD}) AND r.status <> 'confirmed') OR (o.status = 'cancelled' AND r.status IN ('active',
        'confirmed'))
        """,
    ),
    Check(
        "R-I3-held",
        "what a warehouse holds in reserve is the sum of the active reservations there",
        """
        SELECT variant_id, warehouse_id, s.reserved, coalesce(r.held, 0) AS held
        FROM warehouse_stock s
        FULL JOIN (
          SELECT variant_id, warehouse_id, sum(quantity) AS held FROM inventory_reservations WHERE status = 'active'
          GROUP BY 1, 2
        ) r USING (variant_id, warehouse_id)
        WHERE coalesce(s.reserved, 0) <> coalesce(r.held, 0)
        """,
    ),
)
ORDERS = (
    Check(
        "R-I4-total",
        "an order's total is subtotal + tax + shipping - discount",
        "SELECT order_id, total, subtotal, tax, shipping_fee, discount FROM orders WHERE total <> subtotal + tax +"
        " shipping_fee - discount",
    ),
    Check(
        "R-I4-items",
        "an order has items, and its subtotal is the sum of quantity times price paid",
        """
        SELECT o.order_id, o.subtotal, i.amount AS items
        FROM orders o
        LEFT JOIN (SELECT order_id, sum(quantity * price_at_purchase) AS amount FROM order_items GROUP BY order_id) i
        USING (order_id)
        WHERE i.amount IS DISTINCT FROM o.subtotal
        """,
    ),
    Check(
        "R-I10-start",
        "every order's history begins with a step into pending",
        """
        SELECT o.order_id, o.status FROM orders o
        LEFT JOIN order_events e ON e.order_id = o.order_id AND e.sequence = 1
        WHERE e.to_status IS DISTINCT FROM 'pending' OR e.from_status IS NOT NULL
        """,
    ),
    Check(
        "R-I10-path",
        "every later step is one the state machine allows, from where the step before ended, with no number left out",
        f"""
        SELECT order_id, sequence, from_status, to_status, before FROM (
          SELECT order_id, sequence, from_status, to_status,
                 lag(to_status) OVER path AS before, row_number() OVER path AS place
          FROM order_events WINDOW path AS (PARTITION BY order_id ORDER BY sequence)
        ) step
        WHERE sequence <> place
           OR (place > 1 AND (from_status IS DISTINCT FROM before OR (from_status, to_status) NOT IN (VALUES {STEPS})))
        """,
    ),
    Check(
        "R-I10-end",
        "an order's status is where its history ends",
        """
        SELECT o.order_id, o.status, e.to_status FROM orders o
        JOIN (SELECT DISTINCT ON (order_id) order_id, to_status FROM order_events ORDER BY order_id, sequence DESC) e
        USING (order_id)
        WHERE o.status <> e.to_status
        """,
    ),
)
MONEY = (
    Check(
        "R-I5-captured",
        "an order is confirmed or later exactly when one payment captured exactly its total",
        f"""
        SELECT o.order_id, o.status, o.total, p.captures, p.captured
        FROM orders o
        LEFT JOIN (
          SELECT order_id, count(*) FILTER (WHERE captured_amount > 0) AS captures, sum(captured_amount) AS captured
          FROM payments GROUP BY order_id
        ) p USING (order_id)
        WHERE (o.status IN ({SOLD}) AND (p.captures IS DISTINCT FROM 1 OR p.captured IS DISTINCT FROM o.total))
           OR (o.status = 'pending' AND coalesce(p.captured, 0) <> 0)
        """,
    ),
    Check(
        "R-I5-cancelled",
        "a cancelled or fully refunded order keeps no money, and no other sold order has given all of its money back",
        f"""
        SELECT o.order_id, o.status, p.kept
        FROM orders o
        LEFT JOIN (SELECT order_id, sum(captured_amount - refunded_amount) AS kept FROM payments GROUP BY order_id) p
        USING (order_id)
        WHERE (o.status IN ('cancelled', 'refunded') AND coalesce(p.kept, 0) <> 0)
           OR (o.status IN ({SOLD}) AND o.status <> 'refunded' AND o.total > 0 AND coalesce(p.kept, 0) = 0)
        """,
    ),
    Check(
        "R-I7-refunds",
        "what a payment has given back is the sum of its refunds",
        """
        SELECT p.payment_id, p.refunded_amount, coalesce(r.amount, 0) AS refunds
        FROM payments p
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM refunds WHERE status = 'refunded' GROUP BY payment_id)
        r USING (payment_id)
        WHERE p.refunded_amount <> coalesce(r.amount, 0)
        """,
    ),
    Check(
        "R-I7-returns",
        "nobody returns more of a line than was bought",
        """
        SELECT i.order_item_id, i.quantity, r.returned
        FROM order_items i
        JOIN (SELECT order_item_id, sum(quantity) AS returned FROM returns WHERE status <> 'rejected' GROUP BY 1) r
        USING (order_item_id)
        WHERE r.returned > i.quantity
        """,
    ),
)
EVENTS = (
    Check(
        "R-I8-sequence",
        "the events of an aggregate are numbered 1 to n without a gap",
        """
        SELECT aggregate_type, aggregate_id, count(*) AS events, min(sequence) AS first, max(sequence) AS last
        FROM outbox_events GROUP BY aggregate_type, aggregate_id
        HAVING min(sequence) <> 1 OR max(sequence) <> count(*)
        """,
    ),
    Check(
        "R-I8-transition",
        "every step of an order has exactly one event",
        """
        SELECT order_id, e.steps, x.events
        FROM (SELECT order_id, count(*) AS steps FROM order_events GROUP BY order_id) e
        FULL JOIN (SELECT aggregate_id AS order_id, count(*) AS events FROM outbox_events WHERE aggregate_type = 'order'
        GROUP BY 1) x
          USING (order_id)
        WHERE e.steps IS DISTINCT FROM x.events
        """,
    ),
    Check(
        "R-I8-imported",
        "an event of loaded history counts as delivered, so nobody is told of it",
        "SELECT event_id, event_type FROM outbox_events WHERE origin = 'import' AND published_at IS NULL",
    ),
    Check(
        "R-I9-response",
        "a finished idempotency key holds its response",
        "SELECT actor_key, key FROM idempotency_keys WHERE status = 'done' AND (response_body IS NULL OR"
        " response_status IS NULL)",
    ),
    Check(
        "R-I9-lease",
        "no idempotency key stays locked past its lease plus one sweep",
        """
        SELECT actor_key, key, locked_until FROM idempotency_keys
        WHERE status = 'in_progress' AND locked_until < now() - make_interval(secs => %(sweep)s)
        """,
    ),
    Check(
        "R-I9-unique",
        "an actor has used a key once",
        "SELECT actor_key, key, count(*) AS rows FROM idempotency_keys GROUP BY actor_key, key HAVING count(*) > 1",
    ),
)
# One row per authorisation key, with what the gateway did under it.
_LEDGER = """
  SELECT coalesce(parent_key, key) AS gateway_key,
         coalesce(sum(amount) FILTER (WHERE kind = 'authorisation' AND status = 'authorised'), 0) AS authorised,
         coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0) AS captured,
         count(*) FILTER (WHERE kind = 'capture') AS captures,
         coalesce(sum(amount) FILTER (WHERE kind = 'void'), 0) AS voided,
         coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0) AS refunded
  FROM gateway_entries GROUP BY 1
"""
GATEWAY = (
    Check(
        "R-I6-payments",
        "for every payment the gateway authorised, captured, let go and gave back exactly what we recorded, each"
        " capture once",
        f"""
        SELECT p.gateway_key, p.status, p.amount, p.captured_amount, p.refunded_amount,
               g.authorised, g.captured, g.captures, g.voided, g.refunded
        FROM payments p LEFT JOIN ({_LEDGER}) g USING (gateway_key)
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
        SELECT g.gateway_key, g.authorised, g.captured, g.voided
        FROM ({_LEDGER}) g LEFT JOIN payments p USING (gateway_key)
        WHERE p.payment_id IS NULL AND (g.captured <> 0 OR g.refunded <> 0 OR g.authorised <> g.voided)
        """,
        gateway=True,
    ),
    Check(
        "R-I6-twice",
        "no purchase was captured under two keys",
        """
        SELECT reference, count(*) AS captures, sum(amount) AS captured FROM gateway_entries
        WHERE kind = 'capture' AND reference <> '' GROUP BY reference HAVING count(DISTINCT coalesce(parent_key, key)) >
        1
        """,
        gateway=True,
    ),
)
CHECKS: tuple[Check, ...] = (*STOCK, *ORDERS, *MONEY, *EVENTS, *GATEWAY, *nouns.invariants())
