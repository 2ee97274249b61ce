"""The carrier's durable record: SQLite, one label per key for ever, and every scan, with whether the shop took it."""

import secrets
import threading
from datetime import datetime, timedelta
from pathlib import Path

from api.kernel import clock
from api.sandbox.carrier.rates import MOST_GRAMS, offers
from api.sandbox.carrier.schemas import AdvanceRequest, Cancelled, Kind, Label, LabelRequest, ScanEvent
from api.sandbox.record import Refused, Transaction, opened

SCHEMA = """
CREATE TABLE IF NOT EXISTS labels (
    sequence INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    tracking_number TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL,
    reference TEXT NOT NULL,
    price TEXT NOT NULL,
    currency TEXT NOT NULL,
    arrives_on TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    moves_at TEXT NOT NULL,
    step INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS closed_keys (key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS scans (
    sequence INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    tracking_number TEXT NOT NULL,
    kind TEXT NOT NULL,
    occurred_at TEXT NOT NULL,
    place TEXT,
    note TEXT,
    taken INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS scans_waiting ON scans (sequence) WHERE taken = 0;
CREATE INDEX IF NOT EXISTS scans_of_parcel ON scans (tracking_number);
"""
# The way of a parcel that nothing happens to.
WAY: tuple[tuple[Kind, str], ...] = (
    ("accepted", "Depot at the sender"),
    ("in_transit", "Sorting centre"),
    ("out_for_delivery", "Depot at the recipient"),
    ("delivered", "At the door"),
)
_LABEL = "sequence, key, tracking_number, service, reference, price, currency, arrives_on, status, created_at"
_SCAN = "event_id, tracking_number, kind, occurred_at, place, note"


class Book:
    """Thread-safe. `buy` and `cancel` return (answer, whether anything changed); the same key has the same label."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = opened(path, SCHEMA)

    def buy(self, request: LabelRequest) -> tuple[Label, bool]:
        """Raises: Refused for a service that is not offered, a price that has risen, or a key of another label."""
        now = clock.now()
        with self._lock, Transaction(self._db):
            if (known := self._label("key", request.key)) is not None:
                if (known.service, known.reference) != (request.service, request.reference):
                    raise Refused("key_reused", "This key belongs to another label.", 422)
                return known, False
            if self._db.execute("SELECT 1 FROM closed_keys WHERE key = ?", (request.key,)).fetchone():
                raise Refused("cancelled", "It was cancelled before it was bought.")
            if request.weight_grams > MOST_GRAMS:
                raise Refused("too_heavy", f"At most {MOST_GRAMS} g.", 422)
            found = {offer.service: offer for offer in offers(request, now.date())}.get(request.service)
            if found is None:
                raise Refused("unknown_service", "Ask for the rates of the parcel.", 422)
            if found.price > request.price:
                raise Refused("price_changed", "It costs more now; ask for the rates again.")
            tracking = f"SBX{secrets.randbelow(10**13):013d}"
            row = (request.key, tracking, request.service, request.reference, str(found.price), request.currency)
            self._db.execute(
                "INSERT INTO labels (key, tracking_number, service, reference, price, currency, arrives_on, status,"
                " created_at, moves_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'bought', ?, ?)",
                (*row, found.arrives_on.isoformat(), now.isoformat(), now.isoformat()),
            )
            label = self._label("key", request.key)
            assert label is not None
            return label, True

    def cancel(self, key: str) -> tuple[Cancelled, bool]:
        """Take a label back, or forbid a later one with its key. Raises: Refused once the parcel was scanned."""
        with self._lock, Transaction(self._db):
            label = self._label("key", key)
            if label is None:
                self._db.execute("INSERT OR IGNORE INTO closed_keys (key) VALUES (?)", (key,))
                return Cancelled(key=key), True
            if label.status == "cancelled":
                return Cancelled(key=key), False
            if self._db.execute("SELECT 1 FROM scans WHERE tracking_number = ?", (label.tracking_number,)).fetchone():
                raise Refused("scanned", "The parcel is on its way.")
            self._db.execute("UPDATE labels SET status = 'cancelled' WHERE key = ?", (key,))
            return Cancelled(key=key), True

    def labels(self) -> list[Label]:
        """Every label, in the order of purchases."""
        with self._lock:
            rows = self._db.execute(f"SELECT {_LABEL} FROM labels ORDER BY sequence").fetchall()  # noqa: S608 - constant
        return [_label(row) for row in rows]

    def advance(self, request: AdvanceRequest) -> ScanEvent:
        """Scan a parcel: at the next step of its way, or as the request says. Raises: Refused for one without label,
        and at the end of the way."""
        with self._lock, Transaction(self._db):
            if self._label("tracking_number", request.tracking_number) is None:
                raise Refused("unknown_parcel", "There is no label with this tracking number.", 422)
            return self._scan(request)

    def advance_due(self, every: timedelta) -> datetime | None:
        """Scan the parcels that have stood still for so long; returns when the next one will have."""
        now = clock.now()
        with self._lock, Transaction(self._db):
            waiting = "FROM labels WHERE status = 'bought' AND step < ?"
            due = self._db.execute(
                f"SELECT tracking_number {waiting} AND moves_at <= ?",
                (len(WAY), (now - every).isoformat()),
            ).fetchall()
            for (tracking,) in due:
                self._scan(AdvanceRequest.model_validate({"trackingNumber": tracking}))
            first = self._db.execute(f"SELECT min(moves_at) {waiting}", (len(WAY),)).fetchone()[0]
        return None if first is None else datetime.fromisoformat(first) + every

    def waiting(self, most: int) -> list[ScanEvent]:
        """Scans that the shop has not taken, the oldest first."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_SCAN} FROM scans WHERE taken = 0 ORDER BY sequence LIMIT ?",  # noqa: S608 - constant
                (most,),
            ).fetchall()
        return [_event(row) for row in rows]

    def took(self, events: list[ScanEvent]) -> None:
        """The shop has taken these."""
        with self._lock, Transaction(self._db):
            self._db.executemany(
                "UPDATE scans SET taken = 1 WHERE event_id = ?", [(event.event_id,) for event in events]
            )

    def _scan(self, request: AdvanceRequest) -> ScanEvent:
        (step,) = self._db.execute(
            "SELECT step FROM labels WHERE tracking_number = ?", (request.tracking_number,)
        ).fetchone()
        if request.kind is None and step >= len(WAY):
            raise Refused("arrived", "The parcel has arrived.")
        kind, place = WAY[step] if request.kind is None else (request.kind, request.place)
        now = clock.now()
        event = ScanEvent(
            event_id=f"evt_{secrets.token_hex(12)}",
            tracking_number=request.tracking_number,
            kind=kind,
            occurred_at=request.occurred_at or now,
            place=request.place or place,
            note=request.note,
        )
        values = (event.event_id, event.tracking_number, kind, event.occurred_at.isoformat(), event.place, event.note)
        self._db.execute(
            f"INSERT INTO scans ({_SCAN}, taken) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
            (*values, not request.sent),
        )
        reached = [name for name, _ in WAY].index(kind) + 1 if kind in dict(WAY) else len(WAY)
        self._db.execute(
            "UPDATE labels SET step = max(step, ?), moves_at = ? WHERE tracking_number = ?",
            (reached, now.isoformat(), request.tracking_number),
        )
        return event

    def _label(self, column: str, value: str) -> Label | None:
        row = self._db.execute(f"SELECT {_LABEL} FROM labels WHERE {column} = ?", (value,)).fetchone()  # noqa: S608 - constant
        return None if row is None else _label(row)


def _label(row: tuple[object, ...]) -> Label:
    return Label.model_validate(dict(zip(_LABEL.split(", "), row, strict=True)))


def _event(row: tuple[object, ...]) -> ScanEvent:
    return ScanEvent.model_validate(dict(zip(_SCAN.split(", "), row, strict=True)))
