"""The SQL of stock, as parts of one statement each: hold, confirm, release, restock.

Every part keeps four things equal in one commit: `warehouse_stock`, `product_variants.stock_quantity`, the reservations
and the append-only `inventory_transactions`. Locks are taken reservations first, then variants in id order, then
shelves; whoever touches a shelf holds its variant's lock, so two orders that share variants in opposite order wait for
each other once and never in a circle.
"""

from collections.abc import Sequence
from uuid import UUID

from api.inventory.allocation import Allocation
from api.kernel.ids import new_id
from api.kernel.statement import Part

# `feasible.ok` is decided on locked rows; the UPDATEs below state their condition again, and CHECK constraints state it
# a third time.
HOLD_CHECK = """demand AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:hold_reservations AS uuid[]), CAST(:hold_transactions AS uuid[]), CAST(:hold_variants AS
    uuid[]),
                         CAST(:hold_warehouses AS uuid[]), CAST(:hold_quantities AS int[]))
         AS d(reservation_id, transaction_id, variant_id, warehouse_id, quantity)),
wanted AS MATERIALIZED (SELECT variant_id, sum(quantity)::int AS quantity FROM demand GROUP BY variant_id),
locked AS MATERIALIZED (
    SELECT v.variant_id, v.stock_quantity FROM product_variants v
    WHERE v.variant_id = ANY(CAST(:hold_variants AS uuid[])) ORDER BY v.variant_id FOR NO KEY UPDATE),
shelves AS MATERIALIZED (
    SELECT s.variant_id, s.warehouse_id, s.available FROM warehouse_stock s JOIN demand d USING (variant_id,
    warehouse_id)
    WHERE (SELECT count(*) FROM locked) > 0 ORDER BY s.variant_id, s.warehouse_id FOR NO KEY UPDATE OF s),
feasible AS MATERIALIZED (
    SELECT (SELECT count(*) FROM wanted w JOIN locked l USING (variant_id) WHERE l.stock_quantity >= w.quantity)
           = (SELECT count(*) FROM wanted)
       AND (SELECT count(*) FROM demand d JOIN shelves s USING (variant_id, warehouse_id) WHERE s.available >=
       d.quantity)
           = (SELECT count(*) FROM demand) AS ok)"""
HOLD = """taken AS (
    UPDATE product_variants v SET stock_quantity = v.stock_quantity - w.quantity, updated_at = now()
    FROM wanted w, gate WHERE v.variant_id = w.variant_id AND v.stock_quantity >= w.quantity
    RETURNING v.variant_id, v.stock_quantity + w.quantity AS before),
moved AS (
    UPDATE warehouse_stock s SET available = s.available - d.quantity, reserved = s.reserved + d.quantity, updated_at =
    now()
    FROM demand d, gate WHERE s.variant_id = d.variant_id AND s.warehouse_id = d.warehouse_id AND s.available >=
    d.quantity RETURNING 1),
held AS (
    INSERT INTO inventory_reservations (reservation_id, checkout_id, order_id, variant_id, warehouse_id, quantity,
    expires_at)
    SELECT d.reservation_id, gate.checkout_id, :hold_order, d.variant_id, d.warehouse_id, d.quantity,
           now() + make_interval(secs => :hold_seconds) FROM demand d, gate RETURNING 1),
journal AS (
    INSERT INTO inventory_transactions
        (transaction_id, variant_id, warehouse_id, quantity_change, transaction_type, reference_id, previous_quantity,
        new_quantity)
    SELECT d.transaction_id, d.variant_id, d.warehouse_id, -d.quantity, 'reservation', gate.checkout_id,
           t.before - sum(d.quantity) OVER line + d.quantity, t.before - sum(d.quantity) OVER line
    FROM demand d JOIN taken t USING (variant_id), gate
    WINDOW line AS (PARTITION BY d.variant_id ORDER BY d.warehouse_id) ORDER BY d.variant_id, d.warehouse_id RETURNING
    1)"""

_KEPT = """kept AS MATERIALIZED (
    SELECT r.reservation_id, r.checkout_id, r.variant_id, r.warehouse_id, r.quantity FROM inventory_reservations r
    WHERE r.checkout_id = :kept_checkout AND r.status = 'active' ORDER BY r.reservation_id FOR UPDATE)"""
_DUE = """kept AS MATERIALIZED (
    SELECT r.reservation_id, r.checkout_id, r.variant_id, r.warehouse_id, r.quantity FROM inventory_reservations r
    WHERE r.status = 'active' AND r.expires_at < now() ORDER BY r.expires_at LIMIT :sweep_batch FOR UPDATE SKIP
    LOCKED)"""
_LOCKED_KEPT = """locked AS MATERIALIZED (
    SELECT v.variant_id FROM product_variants v WHERE v.variant_id IN (SELECT variant_id FROM kept)
    ORDER BY v.variant_id FOR NO KEY UPDATE OF v)"""
_CONFIRM_CHECK = "feasible AS MATERIALIZED (SELECT (SELECT count(*) FROM kept) = :kept_expected AS ok)"
_CONFIRM = """sent AS (
    UPDATE warehouse_stock s SET reserved = s.reserved - k.quantity, updated_at = now() FROM kept k, gate
    WHERE s.variant_id = k.variant_id AND s.warehouse_id = k.warehouse_id AND (SELECT count(*) FROM locked) > 0
    RETURNING 1),
kept_confirmed AS (
    UPDATE inventory_reservations r SET status = 'confirmed', updated_at = now() FROM kept k, gate
    WHERE r.reservation_id = k.reservation_id RETURNING 1)"""
_RELEASE = """freed AS MATERIALIZED (
    SELECT variant_id, sum(quantity)::int AS quantity FROM kept WHERE (SELECT count(*) FROM locked) > 0 GROUP BY
    variant_id),
put_back AS (
    UPDATE product_variants v SET stock_quantity = v.stock_quantity + f.quantity, updated_at = now()
    FROM freed f, gate WHERE v.variant_id = f.variant_id RETURNING v.variant_id, v.stock_quantity - f.quantity AS
    before),
shelved AS (
    UPDATE warehouse_stock s SET available = s.available + k.quantity, reserved = s.reserved - k.quantity, updated_at =
    now()
    FROM (SELECT variant_id, warehouse_id, sum(quantity)::int AS quantity FROM kept GROUP BY 1, 2) k, gate
    WHERE s.variant_id = k.variant_id AND s.warehouse_id = k.warehouse_id AND (SELECT count(*) FROM locked) > 0
    RETURNING 1),
closed AS (
    UPDATE inventory_reservations r SET status = :release_status, updated_at = now() FROM kept k, gate
    WHERE r.reservation_id = k.reservation_id RETURNING 1),
release_journal AS (
    INSERT INTO inventory_transactions
        (transaction_id, variant_id, warehouse_id, quantity_change, transaction_type, reference_id, previous_quantity,
        new_quantity)
    SELECT gen_random_uuid(), k.variant_id, k.warehouse_id, k.quantity, 'release', k.checkout_id,
           b.before + sum(k.quantity) OVER line - k.quantity, b.before + sum(k.quantity) OVER line
    FROM kept k JOIN put_back b USING (variant_id), gate
    WINDOW line AS (PARTITION BY k.variant_id ORDER BY k.reservation_id) ORDER BY k.variant_id, k.reservation_id
    RETURNING 1)"""
_RESTOCK = """back AS MATERIALIZED (
    SELECT b.transaction_id, b.variant_id, b.quantity,
           coalesce(b.warehouse_id, (SELECT s.warehouse_id FROM warehouse_stock s WHERE s.variant_id = b.variant_id
           ORDER BY 1 LIMIT 1))
               AS warehouse_id
    FROM unnest(CAST(:restock_transactions AS uuid[]), CAST(:restock_variants AS uuid[]), CAST(:restock_warehouses AS
    uuid[]),
                CAST(:restock_quantities AS int[])) AS b(transaction_id, variant_id, warehouse_id, quantity)),
locked AS MATERIALIZED (
    SELECT v.variant_id FROM product_variants v WHERE v.variant_id = ANY(CAST(:restock_variants AS uuid[]))
    ORDER BY v.variant_id FOR NO KEY UPDATE),
regained AS (
    UPDATE product_variants v SET stock_quantity = v.stock_quantity + b.quantity, updated_at = now()
    FROM (SELECT variant_id, sum(quantity)::int AS quantity FROM back WHERE (SELECT count(*) FROM locked) > 0 GROUP BY
    1) b, gate
    WHERE v.variant_id = b.variant_id RETURNING v.variant_id, v.stock_quantity - b.quantity AS before),
reshelved AS (
    UPDATE warehouse_stock s SET available = s.available + b.quantity, updated_at = now()
    FROM (SELECT variant_id, warehouse_id, sum(quantity)::int AS quantity FROM back GROUP BY 1, 2) b, gate
    WHERE s.variant_id = b.variant_id AND s.warehouse_id = b.warehouse_id AND (SELECT count(*) FROM locked) > 0
    RETURNING 1),
restock_journal AS (
    INSERT INTO inventory_transactions
        (transaction_id, variant_id, warehouse_id, quantity_change, transaction_type, reference_id, previous_quantity,
        new_quantity)
    SELECT b.transaction_id, b.variant_id, b.warehouse_id, b.quantity, 'return', :restock_reference,
           r.before + sum(b.quantity) OVER line - b.quantity, r.before + sum(b.quantity) OVER line
    FROM back b JOIN regained r USING (variant_id), gate
    WINDOW line AS (PARTITION BY b.variant_id ORDER BY b.transaction_id) ORDER BY b.variant_id, b.transaction_id
    RETURNING 1)"""

_CLOSE_ORDER = """closed_order AS (
    UPDATE inventory_reservations r SET status = 'released', updated_at = now() FROM gate
    WHERE r.order_id = :restock_reference AND r.status = 'confirmed' RETURNING 1)"""

_STOCK_TABLES = frozenset({"product_variants", "warehouse_stock", "inventory_reservations", "inventory_transactions"})
_RELEASE_MAKES = ("kept", "locked", "freed", "put_back", "shelved", "closed", "release_journal")
_RESTOCK_MAKES = ("back", "locked", "regained", "reshelved", "restock_journal")


def hold_check(lines: Sequence[Allocation]) -> Part:
    """Lock and look; CTE `feasible(ok)`. One line per (variant, warehouse)."""
    return Part(
        HOLD_CHECK,
        {
            "hold_reservations": [new_id() for _ in lines],
            "hold_transactions": [new_id() for _ in lines],
            "hold_variants": [line.variant_id for line in lines],
            "hold_warehouses": [line.warehouse_id for line in lines],
            "hold_quantities": [line.quantity for line in lines],
        },
        makes=("demand", "wanted", "locked", "shelves", "feasible"),
    )


def hold(order_id: UUID, seconds: int) -> Part:
    """Take what `hold_check` found, for `seconds`; the gate names the checkout."""
    return Part(
        HOLD,
        {"hold_order": order_id, "hold_seconds": seconds},
        makes=("taken", "moved", "held", "journal"),
        needs=("demand", "wanted", "gate"),
        writes=_STOCK_TABLES,
    )


def confirm_check(checkout_id: UUID, expected: int) -> Part:
    """Lock the checkout's reservations; `feasible(ok)` when all `expected` of them are still active."""
    return Part(
        f"{_KEPT}, {_LOCKED_KEPT}, {_CONFIRM_CHECK}",
        {"kept_checkout": checkout_id, "kept_expected": expected},
        makes=("kept", "locked", "feasible"),
    )


def confirm() -> Part:
    """The held units leave the warehouse's reserve: they are sold."""
    return Part(
        _CONFIRM,
        makes=("sent", "kept_confirmed"),
        needs=("kept", "locked", "gate"),
        writes=frozenset({"warehouse_stock", "inventory_reservations"}),
    )


def release(checkout_id: UUID) -> Part:
    """Give back what is still held, if anything."""
    return Part(
        f"{_KEPT}, {_LOCKED_KEPT}, {_RELEASE}",
        {"kept_checkout": checkout_id, "release_status": "released"},
        makes=_RELEASE_MAKES,
        needs=("gate",),
        writes=_STOCK_TABLES,
    )


def release_due(batch: int) -> Part:
    """Give back up to `batch` reservations that outlived their time; reservations another process works on are left to
    it."""
    return Part(
        f"{_DUE}, {_LOCKED_KEPT}, {_RELEASE}",
        {"sweep_batch": batch, "release_status": "expired"},
        makes=_RELEASE_MAKES,
        needs=("gate",),
        writes=_STOCK_TABLES,
    )


def restock(reference: UUID, lines: Sequence[tuple[UUID, UUID | None, int]], *, cancels_order: bool) -> Part:
    """Sold units come back: (variant, warehouse or None for any, units). `reference` is the return, or the order that
    ends with it."""
    values = {
        "restock_transactions": [new_id() for _ in lines],
        "restock_variants": [line[0] for line in lines],
        "restock_warehouses": [line[1] for line in lines],
        "restock_quantities": [line[2] for line in lines],
        "restock_reference": reference,
    }
    if cancels_order:
        return Part(
            f"{_RESTOCK}, {_CLOSE_ORDER}",
            values,
            makes=(*_RESTOCK_MAKES, "closed_order"),
            needs=("gate",),
            writes=_STOCK_TABLES,
        )
    return Part(
        _RESTOCK,
        values,
        makes=_RESTOCK_MAKES,
        needs=("gate",),
        writes=_STOCK_TABLES - {"inventory_reservations"},
    )
