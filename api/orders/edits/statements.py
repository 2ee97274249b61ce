"""The SQL of edits as parts of one statement: stage, begin, move, and change the order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import orjson

from api.kernel.actor import Actor
from api.kernel.ids import new_id
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.statements import Snapshot, snapshot_values

_STAGE = """staged AS (
    INSERT INTO order_edits (edit_id, order_id, version, plan, added, cancelled, charged, refunded, expires_at,
                             actor_kind, user_id, session_id)
    SELECT :stage_edit, :stage_order, :stage_version, CAST(:stage_plan AS jsonb), :stage_added, :stage_cancelled,
           :stage_charged, :stage_refunded, now() + make_interval(secs => :stage_seconds), :stage_kind,
           CAST(:stage_user AS uuid), CAST(:stage_session AS text)
    RETURNING expires_at)"""
STAGED_UNTIL = "expires_at FROM staged"
_DROP = """dropped AS (
    UPDATE order_edits SET point = 'dropped', updated_at = now()
    WHERE edit_id = :drop_edit AND point = 'staged' RETURNING 1)"""
DROPPED = "(SELECT count(*) FROM dropped) AS dropped"
# With the edit it has, the order is locked by the transaction, and nobody else can be at `staged`.
_BEGIN = """begun AS (
    UPDATE order_edits SET point = 'created', idempotency_key = :begin_key, payment_id = :begin_payment,
           gateway = :begin_gateway, payment_token = :begin_token, lease_token = :begin_lease,
           lease_expires_at = now() + make_interval(secs => :begin_seconds), attempts = 1, begun_at = now(),
           updated_at = now()
    FROM gate WHERE edit_id = :begin_edit RETURNING 1),
being_edited AS (
    UPDATE orders SET edited_by = :begin_edit, updated_at = now()
    FROM gate WHERE orders.order_id = :begin_order RETURNING 1)"""
_GATE = """gate AS (
    UPDATE order_edits e
    SET point = :edit_next, failure = coalesce(CAST(:edit_failure AS jsonb), e.failure),
        lease_expires_at = now() + make_interval(secs => :edit_lease), updated_at = now()
    FROM feasible f
    WHERE f.checkout_id = e.edit_id AND e.edit_id = :edit_id AND e.lease_token = :edit_token AND e.point = :edit_now
    RETURNING e.edit_id AS checkout_id, e.order_id)"""
_FREE = """no_longer_edited AS (
    UPDATE orders SET edited_by = NULL, updated_at = now() FROM gate
    WHERE orders.order_id = gate.order_id AND edited_by = gate.checkout_id RETURNING 1)"""
# What became of the edit: as `PASSED` of a checkout.
MOVED = """f.checkout_id IS NOT NULL AS feasible, g.checkout_id IS NOT NULL AS moved
    FROM (SELECT CAST(:edit_id AS uuid) AS checkout_id) w
    LEFT JOIN feasible f USING (checkout_id) LEFT JOIN gate g USING (checkout_id)"""
# The gates of a statement about one edit: when its units are in stock, and when nothing is asked for.
_IF_IN_STOCK = """gate AS (
    SELECT s.checkout_id, CAST(:gate_order AS uuid) AS order_id FROM in_stock s WHERE s.checkout_id = :gate_edit)"""
_NAMED = "gate AS (SELECT CAST(:gate_edit AS uuid) AS checkout_id, CAST(:gate_order AS uuid) AS order_id)"
PASSES = "1 FROM gate"
_FEASIBLE = "feasible AS (SELECT CAST(:edit_id AS uuid) AS checkout_id)"
# A parcel that an edit adds has been confirmed with its order. `created_at` is the order's, as of all parcels.
_CHANGE = """edited_parcels AS (
    INSERT INTO parcels (parcel_id, order_id, number, seller_id, warehouse_id, status, promised_on, created_at)
    SELECT p.parcel_id, o.order_id, p.number, p.seller_id, p.warehouse_id, 'confirmed', p.promise, o.created_at
    FROM unnest(CAST(:edited_parcel_ids AS uuid[]), CAST(:edited_parcel_numbers AS int[]),
                CAST(:edited_parcel_sellers AS uuid[]), CAST(:edited_parcel_warehouses AS uuid[]),
                CAST(:edited_parcel_promises AS date[]))
         AS p(parcel_id, number, seller_id, warehouse_id, promise), orders o, gate
    WHERE o.order_id = :edited_order RETURNING parcel_id),
edited_parcel_steps AS (
    INSERT INTO parcel_events (parcel_id, sequence, from_status, to_status, actor_kind)
    SELECT p.parcel_id, s.sequence, s.before, s.after, :edited_actor
    FROM edited_parcels p, (VALUES (1, NULL, 'pending'), (2, 'pending', 'confirmed')) AS s(sequence, before, after)
    RETURNING 1),
edited_items AS (
    INSERT INTO order_items (order_item_id, order_id, product_id, variant_id, seller_id, warehouse_id, parcel_id,
                             quantity, price_at_purchase, subtotal, title, sku, attributes, image_url, list_price,
                             discount, promotion, tax_rate, tax_amount, tax_included, tax_class, return_days, condition,
                             min_age, kit, status, edit_id)
    SELECT i.order_item_id, :edited_order, i.product_id, i.variant_id, i.seller_id, i.warehouse_id, i.parcel_id,
           i.quantity, i.price, i.price * i.quantity, i.title, i.sku, CAST(i.attributes AS jsonb), i.image,
           i.list_price, i.discount, i.promotion, i.tax_rate, i.tax, i.tax_included, i.tax_class, i.return_days,
           i.condition, i.min_age, CAST(i.kit AS jsonb), 'confirmed', :edited_by
    FROM unnest(CAST(:edited_items AS uuid[]), CAST(:edited_products AS uuid[]), CAST(:edited_variants AS uuid[]),
                CAST(:edited_sellers AS uuid[]), CAST(:edited_warehouses AS uuid[]), CAST(:edited_in AS uuid[]),
                CAST(:edited_quantities AS int[]), CAST(:edited_prices AS numeric[]), CAST(:item_titles AS text[]),
                CAST(:item_skus AS text[]), CAST(:item_attributes AS text[]), CAST(:item_images AS text[]),
                CAST(:item_list_prices AS numeric[]), CAST(:item_discounts AS numeric[]),
                CAST(:item_promotions AS text[]), CAST(:item_tax_rates AS numeric[]), CAST(:item_taxes AS numeric[]),
                CAST(:item_tax_included AS bool[]), CAST(:item_tax_classes AS text[]),
                CAST(:item_return_days AS int[]), CAST(:item_conditions AS text[]), CAST(:item_min_ages AS int[]),
                CAST(:item_kits AS text[]))
         AS i(order_item_id, product_id, variant_id, seller_id, warehouse_id, parcel_id, quantity, price, title, sku,
              attributes, image, list_price, discount, promotion, tax_rate, tax, tax_included, tax_class, return_days,
              condition, min_age, kit),
         gate
    RETURNING 1),
edited_order AS (
    UPDATE orders o
    SET subtotal = :edited_subtotal, tax = :edited_tax, tax_included = :edited_included, shipping_fee = :edited_fee,
        discount = :edited_discount, total = :edited_total, edits = o.edits + 1, edited_by = NULL,
        shipping_address = coalesce(CAST(:edited_address AS jsonb), o.shipping_address),
        country = coalesce(CAST(:edited_address AS jsonb) ->> 'country', o.country),
        estimated_delivery = coalesce(CAST(:edited_estimate AS date), o.estimated_delivery), updated_at = now()
    FROM gate WHERE o.order_id = :edited_order RETURNING o.order_id, o.status),
edited_step AS (
    INSERT INTO order_events (order_event_id, order_id, sequence, from_status, to_status, actor_kind, reason)
    SELECT :edited_step, o.order_id, (SELECT max(e.sequence) + 1 FROM order_events e WHERE e.order_id = o.order_id),
           o.status, o.status, :edited_actor, 'edited'
    FROM edited_order o RETURNING 1)"""
_PROMISE = """edited_promises AS (
    UPDATE parcels p SET promised_on = m.promise, updated_at = now()
    FROM unnest(CAST(:promised_parcels AS uuid[]), CAST(:promised_days AS date[])) AS m(parcel_id, promise), gate
    WHERE p.parcel_id = m.parcel_id RETURNING 1)"""
_DONE = """edit_done AS (
    UPDATE order_edits SET point = 'completed', idempotency_key = coalesce(:done_key, idempotency_key),
           begun_at = coalesce(begun_at, now()), updated_at = now()
    FROM gate WHERE edit_id = :done_edit RETURNING 1)"""
EDITED = "OrderEdited"


@dataclass(frozen=True, slots=True)
class NewEdit:
    """An edit that is to be staged. `plan` is its JSON."""

    edit_id: UUID
    order_id: UUID
    version: str
    plan: str
    added: Decimal
    cancelled: Decimal
    charged: Decimal
    refunded: Decimal


@dataclass(frozen=True, slots=True)
class BegunEdit:
    """An edit whose charge begins; `lease` is the token of its lease."""

    edit_id: UUID
    order_id: UUID
    key: str
    payment_id: UUID
    gateway: str
    token: str
    lease: UUID
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class EditMove:
    """A step of an edit by the owner of the lease `token`. `failure` is JSON."""

    edit_id: UUID
    token: UUID
    before: str
    after: str
    lease_seconds: float
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class AddedParcel:
    parcel_id: UUID
    number: int
    seller_id: UUID
    warehouse_id: UUID | None
    promised_on: date | None


@dataclass(frozen=True, slots=True)
class AddedLine:
    """`parcel_id` None: it is not packed yet. `moved`: it replaces a line, and was bought with that."""

    order_item_id: UUID
    product_id: UUID
    variant_id: UUID
    seller_id: UUID
    warehouse_id: UUID | None
    quantity: int
    price: Decimal
    snapshot: Snapshot
    promised_on: date | None
    moved: bool
    parcel_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit makes of an order: its amounts afterwards, what it adds, and what is promised. `address` and
    `estimate` None leave them. `due` without what returns give back; `charged` or `refunded` is the difference."""

    edit_id: UUID
    order_id: UUID
    actor_kind: str
    subtotal: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping_fee: Decimal
    discount: Decimal
    total: Decimal
    due: Decimal
    charged: Decimal
    refunded: Decimal
    parcels: Sequence[AddedParcel]
    lines: Sequence[AddedLine]
    promised: Sequence[tuple[UUID, date]]
    address: dict[str, str] | None
    estimate: date | None


def stage_part(edit: NewEdit, actor: Actor, seconds: int) -> Part:
    """Insert the edit as staged, for `seconds`."""
    return Part(
        _STAGE,
        {
            "stage_edit": edit.edit_id,
            "stage_order": edit.order_id,
            "stage_version": edit.version,
            "stage_plan": edit.plan,
            "stage_added": edit.added,
            "stage_cancelled": edit.cancelled,
            "stage_charged": edit.charged,
            "stage_refunded": edit.refunded,
            "stage_seconds": seconds,
            "stage_kind": actor.kind,
            "stage_user": actor.user_id,
            "stage_session": None if actor.signed_in else actor.session_id,
        },
        makes=("staged",),
        writes=frozenset({"order_edits"}),
    )


def drop_part(edit_id: UUID) -> Part:
    """Drop the edit if it is staged."""
    return Part(_DROP, {"drop_edit": edit_id}, makes=("dropped",), writes=frozenset({"order_edits"}))


def if_in_stock(edit_id: UUID, order_id: UUID) -> Part:
    """The gate that is open when the CTE `in_stock` names the edit."""
    values = {"gate_edit": edit_id, "gate_order": order_id}
    return Part(_IF_IN_STOCK, values, makes=("gate",), needs=("in_stock",))


def named(edit_id: UUID, order_id: UUID) -> Part:
    """The open gate of an edit."""
    return Part(_NAMED, {"gate_edit": edit_id, "gate_order": order_id}, makes=("gate",))


def begin_part(edit: BegunEdit) -> Part:
    """Move the edit to `created`, and let nothing else change its order."""
    return Part(
        _BEGIN,
        {
            "begin_edit": edit.edit_id,
            "begin_order": edit.order_id,
            "begin_key": edit.key,
            "begin_payment": edit.payment_id,
            "begin_gateway": edit.gateway,
            "begin_token": edit.token,
            "begin_lease": edit.lease,
            "begin_seconds": edit.lease_seconds,
        },
        makes=("begun", "being_edited"),
        needs=("gate",),
        writes=frozenset({"order_edits", "orders"}),
    )


def gate_part(move: EditMove) -> Part:
    """Move the edit, if an earlier part's CTE `feasible` names it and its lease and point are as told; everything else
    in the statement follows."""
    return Part(
        _GATE,
        {
            "edit_id": move.edit_id,
            "edit_token": move.token,
            "edit_now": move.before,
            "edit_next": move.after,
            "edit_lease": move.lease_seconds,
            "edit_failure": move.failure,
        },
        makes=("gate",),
        needs=("feasible",),
        writes=frozenset({"order_edits"}),
    )


def no_check(edit_id: UUID) -> Part:
    """The CTE `feasible` of a step that nothing prevents."""
    return Part(_FEASIBLE, {"edit_id": edit_id}, makes=("feasible",))


FREE = Part(_FREE, makes=("no_longer_edited",), needs=("gate",), writes=frozenset({"orders"}))


def change_part(change: Change) -> Part:
    """Change the order, with the row of its history."""
    return Part(
        _CHANGE,
        {
            **_parcel_values(change.parcels),
            **_line_values(change.lines),
            "edited_order": change.order_id,
            "edited_by": change.edit_id,
            "edited_actor": change.actor_kind,
            "edited_subtotal": change.subtotal,
            "edited_tax": change.tax,
            "edited_included": change.tax_included,
            "edited_fee": change.shipping_fee,
            "edited_discount": change.discount,
            "edited_total": change.total,
            "edited_address": None if change.address is None else orjson.dumps(change.address).decode(),
            "edited_estimate": change.estimate,
            "edited_step": new_id(),
        },
        makes=("edited_parcels", "edited_parcel_steps", "edited_items", "edited_order", "edited_step"),
        needs=("gate",),
        writes=frozenset({"parcels", "parcel_events", "order_items", "orders", "order_events"}),
    )


def promise_part(promised: Sequence[tuple[UUID, date]]) -> Part:
    """Set the promised days of parcels."""
    values = {"promised_parcels": [parcel for parcel, _ in promised], "promised_days": [day for _, day in promised]}
    return Part(_PROMISE, values, makes=("edited_promises",), needs=("gate",), writes=frozenset({"parcels"}))


def done_part(edit_id: UUID, key: str | None) -> Part:
    """Complete an edit that had nothing to charge."""
    return Part(
        _DONE,
        {"done_edit": edit_id, "done_key": key},
        makes=("edit_done",),
        needs=("gate",),
        writes=frozenset({"order_edits"}),
    )


def edited_event(change: Change, status: str, gate_id: UUID | None) -> Event:
    """The outbox event of the row of the order's history."""
    payload = {
        "orderId": change.order_id,
        "editId": change.edit_id,
        "from": status,
        "to": status,
        "due": change.due,
        "charged": change.charged,
        "refunded": change.refunded,
        "added": [line.order_item_id for line in change.lines if not line.moved],
    }
    return Event("order", change.order_id, EDITED, payload, gate_id)


def _parcel_values(parcels: Sequence[AddedParcel]) -> dict[str, object]:
    return {
        "edited_parcel_ids": [parcel.parcel_id for parcel in parcels],
        "edited_parcel_numbers": [parcel.number for parcel in parcels],
        "edited_parcel_sellers": [parcel.seller_id for parcel in parcels],
        "edited_parcel_warehouses": [parcel.warehouse_id for parcel in parcels],
        "edited_parcel_promises": [parcel.promised_on for parcel in parcels],
    }


def _line_values(lines: Sequence[AddedLine]) -> dict[str, object]:
    return {
        "edited_items": [line.order_item_id for line in lines],
        "edited_products": [line.product_id for line in lines],
        "edited_variants": [line.variant_id for line in lines],
        "edited_sellers": [line.seller_id for line in lines],
        "edited_warehouses": [line.warehouse_id for line in lines],
        "edited_in": [line.parcel_id for line in lines],
        "edited_quantities": [line.quantity for line in lines],
        "edited_prices": [line.price for line in lines],
        **snapshot_values([line.snapshot for line in lines]),
    }


def payment_key(edit_id: UUID) -> str:
    """The key of an edit's payment at the gateway: one for one edit, so that repeating a call never charges twice."""
    return f"edit-{edit_id}"
