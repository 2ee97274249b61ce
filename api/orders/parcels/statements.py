"""The SQL of parcels that move on their own, as parts of one statement.

`api/orders/statements.py` places them, and moves them with their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from api.kernel.actor import ActorKind
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.states import PARCEL_EVENT_OF, TRANSITIONS, may_follow

# The tables whose states Postgres guards.
GUARDED = ("orders", "parcels", "order_items")
# Of the parcels that a statement moves (`moved_parcels`): their events, and their lines with them.
PARCEL_STEPS = """moved_parcel_steps AS (
    INSERT INTO parcel_events (parcel_id, sequence, from_status, to_status, actor_kind, reason)
    SELECT p.parcel_id, (SELECT max(e.sequence) + 1 FROM parcel_events e WHERE e.parcel_id = p.parcel_id),
           p.before, p.after, p.actor, p.reason
    FROM moved_parcels p RETURNING 1)"""
_MOVED_ITEMS = """moved_items AS (
    UPDATE order_items i SET status = p.after FROM moved_parcels p
    WHERE i.order_id = p.order_id AND i.parcel_id = p.parcel_id AND i.status = p.before RETURNING 1)"""
FOLLOW_PARCELS = f"{_MOVED_ITEMS}, {PARCEL_STEPS}"
_MOVE_PARCELS = """moved_parcels AS (
    UPDATE parcels p
    SET status = m.after,
        begun_at = CASE WHEN m.after = 'processing' THEN now() ELSE p.begun_at END,
        shipped_at = CASE WHEN m.after = 'shipped' THEN now() ELSE p.shipped_at END,
        delivered_at = CASE WHEN m.after = 'delivered' THEN coalesce(m.at, now()) ELSE p.delivered_at END,
        carrier = coalesce(m.carrier, p.carrier), tracking_number = coalesce(m.tracking, p.tracking_number),
        updated_at = now()
    FROM unnest(CAST(:parcel_ids AS uuid[]), CAST(:parcel_before AS text[]), CAST(:parcel_after AS text[]),
                CAST(:parcel_actors AS text[]), CAST(:parcel_reasons AS text[]), CAST(:parcel_carriers AS text[]),
                CAST(:parcel_trackings AS text[]), CAST(:parcel_times AS timestamptz[]))
         AS m(parcel_id, before, after, actor, reason, carrier, tracking, at), gate
    WHERE p.parcel_id = m.parcel_id AND p.status = m.before
    RETURNING p.parcel_id, p.order_id, m.before, m.after, m.actor, m.reason)"""

# Lines that a process of a release without parcels has written get parcels where their orders are, with the steps that
# these took. The transaction has locked the orders, so the statement sees all of their steps.
PACK_LINES = text(
    """
    WITH packed AS (
        SELECT gen_random_uuid() AS parcel_id, i.order_id, i.seller_id, i.warehouse_id,
               coalesce((SELECT max(p.number) FROM parcels p WHERE p.order_id = i.order_id), 0)
               + row_number() OVER (PARTITION BY i.order_id ORDER BY min(i.order_item_id::text)) AS number
        FROM order_items i WHERE i.order_id = ANY(CAST(:unpacked AS uuid[])) AND i.parcel_id IS NULL
        GROUP BY i.order_id, i.seller_id, i.warehouse_id),
    steps AS (
        SELECT e.order_id, min(e.created_at) FILTER (WHERE e.to_status = 'processing') AS begun_at,
               min(e.created_at) FILTER (WHERE e.to_status = 'shipped') AS shipped_at,
               min(e.created_at) FILTER (WHERE e.to_status = 'delivered') AS delivered_at
        FROM order_events e WHERE e.order_id = ANY(CAST(:unpacked AS uuid[])) GROUP BY e.order_id),
    filled AS (
        INSERT INTO parcels (parcel_id, order_id, number, seller_id, warehouse_id, status, promised_on, begun_at,
                             shipped_at, delivered_at, origin, created_at, updated_at)
        SELECT p.parcel_id, p.order_id, p.number, p.seller_id, p.warehouse_id, o.status, o.estimated_delivery,
               s.begun_at, s.shipped_at, s.delivered_at, o.origin, o.created_at, o.updated_at
        FROM packed p JOIN orders o USING (order_id) JOIN steps s USING (order_id)),
    stepped AS (
        INSERT INTO parcel_events (parcel_id, sequence, from_status, to_status, actor_kind, reason, created_at)
        SELECT p.parcel_id, e.sequence, e.from_status, e.to_status, e.actor_kind, e.reason, e.created_at
        FROM packed p JOIN order_events e USING (order_id))
    UPDATE order_items i SET parcel_id = p.parcel_id FROM packed p
    WHERE i.order_id = p.order_id AND i.seller_id = p.seller_id
      AND i.warehouse_id IS NOT DISTINCT FROM p.warehouse_id AND i.parcel_id IS NULL"""
)


@dataclass(frozen=True, slots=True)
class ParcelMove:
    """One move of one parcel, under an open gate. `carrier` and `tracking_number` None leave what is there; `at`: when
    it arrived, if that was not now.

    Raises ValueError for a move that the state machine does not have.
    """

    parcel_id: UUID
    order_id: UUID
    before: str
    after: str
    actor_kind: ActorKind
    reason: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        if not may_follow(self.before, self.after):
            raise ValueError(f"a parcel never goes from {self.before} to {self.after}")

    def event(self) -> Event:
        """The outbox event of the move."""
        payload = {"parcelId": self.parcel_id, "orderId": self.order_id, "from": self.before, "to": self.after}
        return Event("parcel", self.parcel_id, PARCEL_EVENT_OF[self.after], payload)


def move_parcels_part(moves: Sequence[ParcelMove]) -> Part:
    """Move each parcel with its lines if it is in its move's from-state. One move per parcel."""
    return Part(
        f"{_MOVE_PARCELS}, {FOLLOW_PARCELS}",
        {
            "parcel_ids": [move.parcel_id for move in moves],
            "parcel_before": [move.before for move in moves],
            "parcel_after": [move.after for move in moves],
            "parcel_actors": [move.actor_kind for move in moves],
            "parcel_reasons": [move.reason for move in moves],
            "parcel_carriers": [move.carrier for move in moves],
            "parcel_trackings": [move.tracking_number for move in moves],
            "parcel_times": [move.at for move in moves],
        },
        makes=("moved_parcels", "moved_items", "moved_parcel_steps"),
        needs=("gate",),
        writes=frozenset({"parcels", "parcel_events", "order_items"}),
    )


def guard(table: str) -> str:
    """The trigger that refuses every move of `table.status` that the state machine does not have, for a migration.

    Its condition holds the whole table of moves, so that an allowed one starts no function.
    """
    moves = " ".join(
        f"WHEN '{before}' THEN NEW.status NOT IN ({', '.join(repr(after) for after in sorted(following))})"
        for before, following in sorted(TRANSITIONS.items())
        if following
    )
    return (
        f"CREATE TRIGGER {table}_move BEFORE UPDATE OF status ON {table} FOR EACH ROW"
        f" WHEN (OLD.status IS DISTINCT FROM NEW.status AND CASE OLD.status {moves} ELSE true END)"
        " EXECUTE FUNCTION refuse_move_of_state()"
    )
