"""The SQL of parcels that move on their own, as parts of one statement.

`api/orders/statements.py` places them, and moves them with their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from api.kernel.actor import ActorKind
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.states import PARCEL_EVENT_OF, TRANSITIONS, may_follow

# The tables whose states Postgres guards.
GUARDED = ("orders", "parcels", "order_items")
_MOVE_PARCELS = """moved_parcels AS (
    UPDATE parcels p
    SET status = m.after,
        begun_at = CASE WHEN m.after = 'processing' THEN now() ELSE p.begun_at END,
        shipped_at = CASE WHEN m.after = 'shipped' THEN now() ELSE p.shipped_at END,
        delivered_at = CASE WHEN m.after = 'delivered' THEN now() ELSE p.delivered_at END,
        carrier = coalesce(m.carrier, p.carrier), tracking_number = coalesce(m.tracking, p.tracking_number),
        updated_at = now()
    FROM unnest(CAST(:parcel_ids AS uuid[]), CAST(:parcel_before AS text[]), CAST(:parcel_after AS text[]),
                CAST(:parcel_actors AS text[]), CAST(:parcel_reasons AS text[]), CAST(:parcel_carriers AS text[]),
                CAST(:parcel_trackings AS text[]))
         AS m(parcel_id, before, after, actor, reason, carrier, tracking), gate
    WHERE p.parcel_id = m.parcel_id AND p.status = m.before
    RETURNING p.parcel_id, p.order_id, m.before, m.after, m.actor, m.reason),
moved_items AS (
    UPDATE order_items i SET status = p.after FROM moved_parcels p
    WHERE i.order_id = p.order_id AND i.parcel_id = p.parcel_id AND i.status = p.before RETURNING 1),
moved_parcel_steps AS (
    INSERT INTO parcel_events (parcel_id, sequence, from_status, to_status, actor_kind, reason)
    SELECT p.parcel_id, (SELECT max(e.sequence) + 1 FROM parcel_events e WHERE e.parcel_id = p.parcel_id),
           p.before, p.after, p.actor, p.reason
    FROM moved_parcels p RETURNING 1)"""


@dataclass(frozen=True, slots=True)
class ParcelMove:
    """One move of one parcel, under an open gate. `carrier` and `tracking_number` None leave what is there.

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
        _MOVE_PARCELS,
        {
            "parcel_ids": [move.parcel_id for move in moves],
            "parcel_before": [move.before for move in moves],
            "parcel_after": [move.after for move in moves],
            "parcel_actors": [move.actor_kind for move in moves],
            "parcel_reasons": [move.reason for move in moves],
            "parcel_carriers": [move.carrier for move in moves],
            "parcel_trackings": [move.tracking_number for move in moves],
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
