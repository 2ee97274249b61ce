"""Invariants of stock."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I1-stock",
        "no variant and no warehouse has less than zero units",
        """
        SELECT variant_id, stock_quantity FROM product_variants WHERE stock_quantity < 0 OR owed < 0
        UNION ALL
        SELECT variant_id, available FROM warehouse_stock
        WHERE available < 0 OR reserved < 0 OR inbound < 0 OR owed < 0
        """,
    ),
    Check(
        "R-I2-sum",
        "a variant's stock, less what is owed, is the sum of its inventory transactions; a kit has none of its own",
        """
        SELECT v.variant_id, v.stock_quantity, v.owed, coalesce(t.total, 0) AS transactions
        FROM product_variants v
        LEFT JOIN (
          SELECT variant_id, sum(quantity_change) AS total FROM inventory_transactions GROUP BY variant_id
        ) t USING (variant_id)
        WHERE v.stock_quantity - v.owed <> coalesce(t.total, 0)
          AND NOT EXISTS (SELECT FROM kit_components k WHERE k.variant_id = v.variant_id)
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
        "a variant's stock is what its warehouses together can sell, and it owes what they owe, but for a kit's",
        """
        SELECT v.variant_id, v.stock_quantity, coalesce(w.available, 0) AS warehouses, v.owed, coalesce(w.owed, 0)
        FROM product_variants v
        LEFT JOIN (
          SELECT variant_id, sum(available) AS available, sum(owed) AS owed FROM warehouse_stock GROUP BY variant_id
        ) w USING (variant_id)
        WHERE (v.stock_quantity <> coalesce(w.available, 0) OR v.owed <> coalesce(w.owed, 0))
          AND NOT EXISTS (SELECT FROM kit_components k WHERE k.variant_id = v.variant_id)
        """,
    ),
    Check(
        "R-I2-transfer",
        "a transfer takes from one warehouse what it gives to another",
        """
        SELECT reference_id, variant_id, sum(quantity_change) AS difference, count(*) AS rows
        FROM inventory_transactions WHERE transaction_type = 'transfer'
        GROUP BY reference_id, variant_id
        HAVING sum(quantity_change) <> 0 OR count(*) <> 2 OR count(DISTINCT warehouse_id) <> 2
        """,
    ),
    Check(
        "R-I2-inbound",
        "what is on its way to a warehouse is what is open of its replenishments",
        """
        SELECT variant_id, warehouse_id, s.inbound, coalesce(r.coming, 0) AS coming
        FROM warehouse_stock s
        FULL JOIN (
          SELECT variant_id, warehouse_id, sum(quantity - received) AS coming FROM replenishments
          WHERE status = 'open' GROUP BY 1, 2
        ) r USING (variant_id, warehouse_id)
        WHERE coalesce(s.inbound, 0) <> coalesce(r.coming, 0)
        """,
    ),
    Check(
        "R-I2-received",
        "what was received of a replenishment is in the journal of stock",
        """
        SELECT r.replenishment_id, r.received, coalesce(sum(t.quantity_change), 0) AS booked
        FROM replenishments r
        LEFT JOIN inventory_transactions t
          ON t.reference_id = r.replenishment_id AND t.transaction_type = 'purchase' AND t.variant_id = r.variant_id
        GROUP BY r.replenishment_id, r.received HAVING r.received <> coalesce(sum(t.quantity_change), 0)
        """,
    ),
    Check(
        "R-I3-sweep",
        "no reservation is active past its expiry plus one cleanup",
        """
        SELECT reservation_id, checkout_id, expires_at FROM inventory_reservations
        WHERE status = 'active' AND expires_at < now() - make_interval(secs => %(cleanup)s)
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
