"""The SQL of stock. `MOVE_STOCK` is the only text that writes `inventory_transactions`, `available` and `owed` of
`warehouse_stock`, and `stock_quantity` and `owed` of `product_variants`; hold, release, restock, adjustment and
stocktake differ in the rows they give to it. A kit has no stock of its own: `SET_COUNTED` writes its
`stock_quantity`.

Those rows are the CTE `moves`: `change` units more or less to sell of one variant in one warehouse, `reserved` units
more or less held there, with the journal's kind and reference. `moves` reads `FROM ..., gate`, so with an empty gate
there are no rows and nothing is written.

Where a warehouse may owe units, what is taken beyond what it has is owed, and what comes in covers that first: a later
buyer cannot take what an earlier one waits for. The journal's quantities are what can be sold less what is owed.

Locks are taken reservations first, then variants in id order, then stock levels. A transaction that changes a level
holds the lock of its variant, so two orders that list the same variants in opposite order cannot deadlock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sqlalchemy import text

from api.kernel.ids import new_id
from api.kernel.outbox import first_events
from api.kernel.statement import Part

# A variant whose stock falls to its threshold, from above it, makes one event in the same commit: an aggregate of its
# own, because the statement cannot see the numbers of events that were committed while it waited for the variant. Its
# `forecast` of sales is null as long as nothing makes one.
# `previous_quantity` and `new_quantity` are computed from the locked row, move by move in the order of the window. The
# condition on the limit repeats the check on locked rows; CHECK constraints enforce it as well.
_BOOK_STOCK = """levels_moved AS (
    UPDATE warehouse_stock s
    SET available = greatest(s.available - s.owed + m.change, 0), owed = greatest(s.owed - s.available - m.change, 0),
        reserved = s.reserved + m.reserved, updated_at = now()
    FROM (SELECT variant_id, warehouse_id, sum(change)::int AS change, sum(reserved)::int AS reserved
          FROM moves GROUP BY variant_id, warehouse_id) m
    WHERE s.variant_id = m.variant_id AND s.warehouse_id = m.warehouse_id
      AND s.available - s.owed + m.change >= -s.backorder_limit
    RETURNING s.variant_id, new.available - old.available AS change, new.owed - old.owed AS owed),
stock_moved AS (
    UPDATE product_variants v
    SET stock_quantity = v.stock_quantity + m.change, owed = v.owed + m.owed, updated_at = now()
    FROM (SELECT variant_id, sum(change)::int AS change, sum(owed)::int AS owed FROM levels_moved GROUP BY variant_id) m
    WHERE v.variant_id = m.variant_id
    RETURNING v.variant_id, v.product_id, new.stock_quantity AS stock, old.stock_quantity AS before,
              old.stock_quantity - old.owed AS booked, v.low_stock_at AS low),
journal AS (
    INSERT INTO inventory_transactions (transaction_id, variant_id, warehouse_id, quantity_change, transaction_type,
                                        reference_id, previous_quantity, new_quantity)
    SELECT m.transaction_id, m.variant_id, m.warehouse_id, m.change, m.kind, m.reference_id,
           v.booked + sum(m.change) OVER line - m.change, v.booked + sum(m.change) OVER line
    FROM moves m JOIN stock_moved v USING (variant_id)
    WINDOW line AS (PARTITION BY m.variant_id ORDER BY m.warehouse_id, m.transaction_id)
    ORDER BY m.variant_id, m.warehouse_id, m.transaction_id
    RETURNING 1),
lowered AS (
    SELECT 'stock_alert' AS aggregate_type, gen_random_uuid() AS aggregate_id, 'StockLow' AS event_type,
           jsonb_build_object('variantId', v.variant_id, 'productId', v.product_id, 'stock', v.stock,
                              'threshold', v.low, 'forecast', NULL) AS payload
    FROM stock_moved v WHERE v.before > v.low AND v.stock <= v.low)"""
_ALERT = first_events("lowered", "alerted")
MOVE_STOCK = f"{_BOOK_STOCK}, {_ALERT}"

# A statement holds stock for the checkouts of one batch, each all or nothing. `place` is the order of the claims: a
# checkout fits when the units that it and the earlier ones want are there. One that wants more than there is at all is
# refused without counting against the later ones, and so is one that wants a variant that its seller has removed.
_DEMAND = """demand AS MATERIALIZED (
    SELECT d.checkout_id, d.place, d.reservation_id, d.transaction_id, d.variant_id, d.warehouse_id, d.quantity
    FROM unnest(CAST(:hold_checkouts AS uuid[]), CAST(:hold_places AS int[]), CAST(:hold_reservations AS uuid[]),
                CAST(:hold_transactions AS uuid[]), CAST(:hold_variants AS uuid[]), CAST(:hold_warehouses AS uuid[]),
                CAST(:hold_quantities AS int[]))
         AS d(checkout_id, place, reservation_id, transaction_id, variant_id, warehouse_id, quantity)),
locked AS MATERIALIZED (
    SELECT v.variant_id, v.stock_quantity FROM product_variants v
    WHERE v.variant_id = ANY(CAST(:hold_variants AS uuid[])) AND v.removed_at IS NULL
    ORDER BY v.variant_id FOR NO KEY UPDATE)"""
_FITS = """levels AS MATERIALIZED (
    SELECT s.variant_id, s.warehouse_id, s.available
    FROM warehouse_stock s
    JOIN (SELECT DISTINCT variant_id, warehouse_id FROM demand) d USING (variant_id, warehouse_id)
    JOIN locked USING (variant_id)
    WHERE (SELECT count(*) FROM locked) > 0 ORDER BY s.variant_id, s.warehouse_id FOR NO KEY UPDATE OF s),
possible AS MATERIALIZED (
    SELECT d.checkout_id FROM demand d LEFT JOIN levels s USING (variant_id, warehouse_id)
    GROUP BY d.checkout_id HAVING bool_and(coalesce(s.available, 0) >= d.quantity)),
in_stock AS MATERIALIZED (
    SELECT f.checkout_id
    FROM (SELECT d.checkout_id,
                 s.available >= sum(d.quantity) OVER (PARTITION BY d.variant_id, d.warehouse_id ORDER BY d.place)
                 AND l.stock_quantity >= sum(d.quantity) OVER (PARTITION BY d.variant_id ORDER BY d.place) AS fits
          FROM demand d JOIN possible USING (checkout_id) JOIN levels s USING (variant_id, warehouse_id)
          JOIN locked l USING (variant_id)) f
    GROUP BY f.checkout_id HAVING bool_and(f.fits))"""
HOLD_CHECK = f"{_DEMAND},\n{_FITS}"
# The same for a batch with backorders: the units of a line that are backordered count against what its warehouse may
# still owe, after all that it has; the others against what it has, as above.
_FITS_LATER = """later AS MATERIALIZED (
    SELECT l.checkout_id, l.variant_id, l.warehouse_id, l.units
    FROM unnest(CAST(:later_checkouts AS uuid[]), CAST(:later_variants AS uuid[]), CAST(:later_warehouses AS uuid[]),
                CAST(:later_units AS int[])) AS l(checkout_id, variant_id, warehouse_id, units)),
levels AS MATERIALIZED (
    SELECT s.variant_id, s.warehouse_id, s.available, s.available - s.owed + s.backorder_limit AS room
    FROM warehouse_stock s
    JOIN (SELECT DISTINCT variant_id, warehouse_id FROM demand) d USING (variant_id, warehouse_id)
    JOIN locked USING (variant_id)
    WHERE (SELECT count(*) FROM locked) > 0 ORDER BY s.variant_id, s.warehouse_id FOR NO KEY UPDATE OF s),
possible AS MATERIALIZED (
    SELECT d.checkout_id
    FROM demand d LEFT JOIN later l USING (checkout_id, variant_id, warehouse_id)
    LEFT JOIN levels s USING (variant_id, warehouse_id)
    GROUP BY d.checkout_id
    HAVING bool_and(coalesce(s.available, 0) >= d.quantity - coalesce(l.units, 0)
                    AND (l.units IS NULL OR coalesce(s.room, 0) >= d.quantity))),
in_stock AS MATERIALIZED (
    SELECT f.checkout_id
    FROM (SELECT d.checkout_id,
                 (l.units = d.quantity OR s.available >= sum(d.quantity) OVER line - coalesce(l.units, 0))
                 AND (l.units IS NULL OR s.room >= sum(d.quantity) OVER line) AS fits
          FROM demand d JOIN possible USING (checkout_id)
          LEFT JOIN later l USING (checkout_id, variant_id, warehouse_id)
          JOIN levels s USING (variant_id, warehouse_id)
          WINDOW line AS (PARTITION BY d.variant_id, d.warehouse_id ORDER BY d.place)) f
    GROUP BY f.checkout_id HAVING bool_and(f.fits))"""
HOLD_CHECK_WITH_BACKORDERS = f"{_DEMAND},\n{_FITS_LATER}"
_HOLD = """moves AS MATERIALIZED (
    SELECT d.transaction_id, d.variant_id, d.warehouse_id, -d.quantity AS change, d.quantity AS reserved,
           'reservation' AS kind, d.checkout_id AS reference_id
    FROM demand d JOIN gate USING (checkout_id)),
held AS (
    INSERT INTO inventory_reservations (reservation_id, checkout_id, order_id, variant_id, warehouse_id, quantity,
                                        expires_at)
    SELECT d.reservation_id, d.checkout_id, gate.order_id, d.variant_id, d.warehouse_id, d.quantity,
           now() + make_interval(secs => :hold_seconds)
    FROM demand d JOIN gate USING (checkout_id)
    RETURNING 1)"""

_KEPT = """kept AS MATERIALIZED (
    SELECT r.reservation_id, r.checkout_id, r.variant_id, r.warehouse_id, r.quantity FROM inventory_reservations r
    WHERE r.checkout_id = ANY(CAST(:kept_checkouts AS uuid[])) AND r.status = :kept_status
    ORDER BY r.reservation_id FOR UPDATE)"""
_DUE = """kept AS MATERIALIZED (
    SELECT r.reservation_id, r.checkout_id, r.variant_id, r.warehouse_id, r.quantity FROM inventory_reservations r
    WHERE r.status = 'active' AND r.expires_at < now()
    ORDER BY r.expires_at LIMIT :due_batch FOR UPDATE SKIP LOCKED)"""
_LOCKED_KEPT = """locked AS MATERIALIZED (
    SELECT v.variant_id FROM product_variants v WHERE v.variant_id IN (SELECT variant_id FROM kept)
    ORDER BY v.variant_id FOR NO KEY UPDATE OF v)"""
_CONFIRM_CHECK = """feasible AS MATERIALIZED (
    SELECT w.checkout_id
    FROM unnest(CAST(:kept_checkouts AS uuid[]), CAST(:kept_expected AS int[])) AS w(checkout_id, expected)
    WHERE (SELECT count(*) FROM kept k WHERE k.checkout_id = w.checkout_id) = w.expected)"""
_CONFIRM = """sent AS (
    UPDATE warehouse_stock s SET reserved = s.reserved - k.quantity, updated_at = now()
    FROM (SELECT variant_id, warehouse_id, sum(quantity)::int AS quantity FROM kept JOIN gate USING (checkout_id)
          WHERE (SELECT count(*) FROM locked) > 0 GROUP BY variant_id, warehouse_id) k
    WHERE s.variant_id = k.variant_id AND s.warehouse_id = k.warehouse_id
    RETURNING 1),
kept_confirmed AS (
    UPDATE inventory_reservations r SET status = 'confirmed', updated_at = now()
    FROM kept k JOIN gate USING (checkout_id)
    WHERE r.reservation_id = k.reservation_id RETURNING 1)"""
_RELEASE = """moves AS MATERIALIZED (
    SELECT gen_random_uuid() AS transaction_id, k.variant_id, k.warehouse_id, k.quantity AS change,
           -k.quantity AS reserved, 'release' AS kind, k.checkout_id AS reference_id
    FROM kept k, gate WHERE (SELECT count(*) FROM locked) > 0),
closed AS (
    UPDATE inventory_reservations r SET status = :release_status, updated_at = now() FROM kept k, gate
    WHERE r.reservation_id = k.reservation_id RETURNING 1)"""

# The reservations of the gate's checkouts of which less than half of the time is left last `extend_seconds` from now,
# but never longer than `extend_limit` after they were made. What has expired stays so; what another transaction has
# locked is being confirmed or released.
_EXTEND = """extending AS MATERIALIZED (
    SELECT r.reservation_id, r.created_at + make_interval(secs => :extend_limit) AS latest
    FROM inventory_reservations r JOIN gate USING (checkout_id)
    WHERE r.status = 'active' AND r.expires_at > now()
      AND r.expires_at < least(now() + make_interval(secs => :extend_seconds / 2.0),
                               r.created_at + make_interval(secs => :extend_limit))
    FOR UPDATE OF r SKIP LOCKED),
extended AS (
    UPDATE inventory_reservations r
    SET expires_at = least(now() + make_interval(secs => :extend_seconds), e.latest), updated_at = now()
    FROM extending e WHERE r.reservation_id = e.reservation_id RETURNING 1)"""

# What outbox.FIRST_EVENTS publishes of reservations that expired.
_EXPIRED = """happened AS (
    SELECT 'reservation' AS aggregate_type, k.reservation_id AS aggregate_id, 'ReservationExpired' AS event_type,
           jsonb_build_object('variantId', k.variant_id, 'quantity', k.quantity) AS payload
    FROM kept k)"""

_MOVES = """locked AS MATERIALIZED (
    SELECT v.variant_id FROM product_variants v WHERE v.variant_id = ANY(CAST(:move_variants AS uuid[]))
    ORDER BY v.variant_id FOR NO KEY UPDATE),
moves AS MATERIALIZED (
    SELECT m.transaction_id, m.variant_id,
           coalesce(m.warehouse_id, (SELECT s.warehouse_id FROM warehouse_stock s WHERE s.variant_id = m.variant_id
                                     ORDER BY s.warehouse_id LIMIT 1)) AS warehouse_id,
           m.change, 0 AS reserved, m.kind, CAST(:move_reference AS uuid) AS reference_id
    FROM unnest(CAST(:move_transactions AS uuid[]), CAST(:move_variants AS uuid[]), CAST(:move_warehouses AS uuid[]),
                CAST(:move_changes AS int[]), CAST(:move_kinds AS text[]))
         AS m(transaction_id, variant_id, warehouse_id, change, kind), gate
    WHERE (SELECT count(*) FROM locked) > 0)"""
_CLOSE_ORDER = """closed_order AS (
    UPDATE inventory_reservations r SET status = 'released', updated_at = now() FROM gate
    WHERE r.order_id = :move_reference AND r.status = 'confirmed' RETURNING 1)"""

# Inventory reads products only to find the variant's seller. `is_admin` true matches every variant.
# tests/integration/api/test_round_trips.py counts the requests that send these statements.
_OWN_VARIANT = """
    SELECT v.variant_id, v.product_id, v.sku, v.stock_quantity AS stock, v.owed, v.low_stock_at, p.kind
    FROM product_variants v JOIN products p USING (product_id)
    WHERE v.variant_id = :variant_id AND p.deleted_at IS NULL
      AND (p.seller_id = CAST(:seller_id AS uuid) OR CAST(:is_admin AS boolean))"""
# The actor's variants in the order of their ids, with what each has on its way.
OWN_VARIANTS = text(
    """
    SELECT v.variant_id, v.product_id, v.sku, v.stock_quantity AS stock, v.owed, v.low_stock_at,
           v.stock_quantity <= v.low_stock_at AS low,
           (SELECT coalesce(sum(s.inbound), 0)::int FROM warehouse_stock s WHERE s.variant_id = v.variant_id) AS inbound
    FROM product_variants v JOIN products p USING (product_id)
    WHERE p.deleted_at IS NULL AND v.removed_at IS NULL
      AND (p.seller_id = CAST(:seller_id AS uuid) OR CAST(:is_admin AS boolean))
      AND (CAST(:after AS uuid) IS NULL OR v.variant_id > CAST(:after AS uuid))
      AND (CAST(:low AS boolean) IS NULL OR (v.stock_quantity <= v.low_stock_at) = CAST(:low AS boolean))
      AND (CAST(:warehouse_id AS uuid) IS NULL OR EXISTS (
            SELECT FROM warehouse_stock s
            WHERE s.variant_id = v.variant_id AND s.warehouse_id = CAST(:warehouse_id AS uuid)))
    ORDER BY v.variant_id LIMIT :limit OFFSET :offset"""
)
SET_LOW_STOCK = text("UPDATE product_variants SET low_stock_at = :low_stock_at WHERE variant_id = :variant_id")
OWN_VARIANT = text(_OWN_VARIANT)
OWN_VARIANT_LOCKED = text(f"{_OWN_VARIANT} FOR NO KEY UPDATE OF v")
STOCK_LOCKED = text(
    """
    SELECT variant_id, stock_quantity AS stock, owed FROM product_variants
    WHERE variant_id = ANY(CAST(:variants AS uuid[])) ORDER BY variant_id FOR NO KEY UPDATE"""
)
# How many there are of variants that follow others, and have no stock of their own. What another transaction is saving
# says so by itself.
SET_COUNTED = text(
    """
    UPDATE product_variants v SET stock_quantity = c.units, updated_at = now()
    FROM unnest(CAST(:variants AS uuid[]), CAST(:units AS int[])) AS c(variant_id, units)
    WHERE v.variant_id = c.variant_id AND v.variant_id IN (
        SELECT l.variant_id FROM product_variants l WHERE l.variant_id = ANY(CAST(:variants AS uuid[]))
        ORDER BY l.variant_id FOR NO KEY UPDATE SKIP LOCKED)"""
)

# What a warehouse may owe of a variant, and until when: of rows of `warehouse_stock` that are aggregated, an array of
# (warehouse, units that it may still owe, owed units, days, array of (day, units) on their way), null without any.
ROOMS = """jsonb_agg(jsonb_build_array(
        warehouse_stock.warehouse_id, warehouse_stock.backorder_limit - warehouse_stock.owed, warehouse_stock.owed,
        warehouse_stock.backorder_days,
        (SELECT jsonb_agg(jsonb_build_array(r.expected_on, r.quantity - r.received)) FROM replenishments r
         WHERE r.variant_id = warehouse_stock.variant_id AND r.warehouse_id = warehouse_stock.warehouse_id
           AND r.status = 'open' AND r.expected_on IS NOT NULL)
    )) FILTER (WHERE warehouse_stock.owed < warehouse_stock.backorder_limit)"""

# The result of the statement composed with `extend`: how many reservations last longer now.
EXTENDED = "(SELECT count(*) FROM extended) AS extended"
# The result of the statement composed with `release_due`: how many reservations it released.
RELEASED = "(SELECT count(*) FROM kept) AS released"
_MOVE_MAKES = ("levels_moved", "stock_moved", "journal", "lowered", "alerted")
_MOVE_WRITES = frozenset({"product_variants", "warehouse_stock", "inventory_transactions"})
_MOVE_APPENDS = frozenset({"outbox_events"})
_WITH_RESERVATIONS = _MOVE_WRITES | {"inventory_reservations"}
_RELEASE_MAKES = ("kept", "locked", "moves", "closed", *_MOVE_MAKES)

MoveKind = Literal["initial", "return", "adjustment", "purchase", "transfer", "count"]


@dataclass(frozen=True, slots=True)
class StockMove:
    """`change` units more or less to sell. `warehouse_id` None: the variant's first warehouse."""

    variant_id: UUID
    warehouse_id: UUID | None
    change: int
    kind: MoveKind
    transaction_id: UUID = field(default_factory=new_id)


def move_stock(moves: Sequence[StockMove], reference: UUID | None = None) -> Part:
    """Book `moves`, each with its journal row; their stock levels must exist.

    `reference`: the return or order that they belong to.
    """
    return Part(
        f"{_MOVES}, {MOVE_STOCK}",
        {
            "move_transactions": [move.transaction_id for move in moves],
            "move_variants": [move.variant_id for move in moves],
            "move_warehouses": [move.warehouse_id for move in moves],
            "move_changes": [move.change for move in moves],
            "move_kinds": [move.kind for move in moves],
            "move_reference": reference,
        },
        makes=("locked", "moves", *_MOVE_MAKES),
        needs=("gate",),
        writes=_MOVE_WRITES,
        appends=_MOVE_APPENDS,
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Units of a variant that are to be held in a warehouse, `backordered` of them before it has them."""

    variant_id: UUID
    warehouse_id: UUID
    quantity: int
    backordered: int = 0


def hold_check(claims: Sequence[tuple[UUID, Sequence[Held]]]) -> Part:
    """Lock the levels and check them for (checkout, lines), the first claim first; makes the CTE `in_stock`, with the
    checkouts whose lines are all there or may be owed. One line per (checkout, variant, warehouse)."""
    lines = [(place, checkout, line) for place, (checkout, lines) in enumerate(claims) for line in lines]
    values: dict[str, object] = {
        "hold_checkouts": [checkout for _, checkout, _ in lines],
        "hold_places": [place for place, _, _ in lines],
        "hold_reservations": [new_id() for _ in lines],
        "hold_transactions": [new_id() for _ in lines],
        "hold_variants": [line.variant_id for _, _, line in lines],
        "hold_warehouses": [line.warehouse_id for _, _, line in lines],
        "hold_quantities": [line.quantity for _, _, line in lines],
    }
    later = [(checkout, line) for _, checkout, line in lines if line.backordered]
    if not later:
        return Part(HOLD_CHECK, values, makes=("demand", "locked", "levels", "possible", "in_stock"))
    values |= {
        "later_checkouts": [checkout for checkout, _ in later],
        "later_variants": [line.variant_id for _, line in later],
        "later_warehouses": [line.warehouse_id for _, line in later],
        "later_units": [line.backordered for _, line in later],
    }
    return Part(
        HOLD_CHECK_WITH_BACKORDERS,
        values,
        makes=("demand", "locked", "later", "levels", "possible", "in_stock"),
    )


def hold(seconds: int) -> Part:
    """Reserve the units that `hold_check` locked, for `seconds`; the gate names the checkouts and their orders."""
    return Part(
        f"{_HOLD}, {MOVE_STOCK}",
        {"hold_seconds": seconds},
        makes=("moves", "held", *_MOVE_MAKES),
        needs=("demand", "gate"),
        writes=_WITH_RESERVATIONS,
        appends=_MOVE_APPENDS,
    )


def extend(seconds: int, limit: int) -> Part:
    """The reservations of the gate's checkouts last `seconds` from now, at most `limit` from when they were made."""
    return Part(
        _EXTEND,
        {"extend_seconds": float(seconds), "extend_limit": float(limit)},
        makes=("extending", "extended"),
        needs=("gate",),
        writes=frozenset({"inventory_reservations"}),
    )


def confirm_check(expected: Mapping[UUID, int]) -> Part:
    """Lock the reservations of the checkouts; makes the CTE `feasible`, with those of which all `expected` are still
    active."""
    return Part(
        f"{_KEPT}, {_LOCKED_KEPT}, {_CONFIRM_CHECK}",
        {"kept_checkouts": list(expected), "kept_expected": list(expected.values()), "kept_status": "active"},
        makes=("kept", "locked", "feasible"),
    )


def confirm() -> Part:
    """Deduct the confirmed units from the warehouses' reserved units: they are sold, or owed."""
    return Part(
        _CONFIRM,
        makes=("sent", "kept_confirmed"),
        needs=("kept", "locked", "gate"),
        writes=frozenset({"warehouse_stock", "inventory_reservations"}),
    )


def release(checkout_id: UUID) -> Part:
    """Release the checkout's active reservations, if it has any."""
    return Part(
        f"{_KEPT}, {_LOCKED_KEPT}, {_RELEASE}, {MOVE_STOCK}",
        {"kept_checkouts": [checkout_id], "kept_status": "active", "release_status": "released"},
        makes=_RELEASE_MAKES,
        needs=("gate",),
        writes=_WITH_RESERVATIONS,
        appends=_MOVE_APPENDS,
    )


def release_due(batch: int) -> Part:
    """Release up to `batch` expired reservations; those that another process has locked are skipped.

    `happened` lists their events.
    """
    return Part(
        f"{_DUE}, {_LOCKED_KEPT}, {_RELEASE}, {MOVE_STOCK}, {_EXPIRED}",
        {"due_batch": batch, "release_status": "expired"},
        makes=(*_RELEASE_MAKES, "happened"),
        needs=("gate",),
        writes=_WITH_RESERVATIONS,
        appends=_MOVE_APPENDS,
    )


def restock(reference: UUID, lines: Sequence[tuple[UUID, UUID | None, int]], *, cancels_order: bool) -> Part:
    """Make sold units sellable again: (variant, warehouse or None for any, units).

    `reference` is the return, or the order that ends with it.
    """
    moved = move_stock([StockMove(*line, "return") for line in lines], reference)
    if not cancels_order:
        return moved
    return Part(
        f"{_MOVES}, {MOVE_STOCK}, {_CLOSE_ORDER}",
        moved.values,
        makes=("locked", "moves", *_MOVE_MAKES, "closed_order"),
        needs=("gate",),
        writes=_WITH_RESERVATIONS,
        appends=_MOVE_APPENDS,
    )
