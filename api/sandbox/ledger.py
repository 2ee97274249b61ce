"""The gateway's durable record: SQLite, every commit flushed to disk, one permanent row per key."""

import secrets
import threading
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from api.kernel import clock
from api.sandbox.record import Refused, Transaction, opened
from api.sandbox.schemas import AuthorisationRequest, Entry, LedgerEntry, MoneyRequest, VoidRequest

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    parent_key TEXT,
    cents INTEGER NOT NULL CHECK (cents >= 0),
    currency TEXT NOT NULL,
    reference TEXT NOT NULL,
    reason TEXT,
    origin TEXT NOT NULL,
    gateway_reference TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_parent ON entries (parent_key);
"""
COLUMNS = (
    "sequence, key, kind, status, parent_key, cents, currency, reference, reason, origin, gateway_reference, created_at"
)
INSERT = (
    "INSERT INTO entries (key, kind, status, parent_key, cents, currency, reference, reason, origin, gateway_reference,"
    " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
PAGE = f"SELECT {COLUMNS} FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608 - constant columns
FIND = f"SELECT {COLUMNS} FROM entries WHERE key = ?"  # noqa: S608 - constant columns
NO_CURRENCY = "XTS"  # ISO 4217: reserved for testing
PREFIX = {"authorisation": "auth", "capture": "cap", "void": "void", "refund": "re"}
TOKENS = {"pm_sandbox_ok": "authorised", "pm_sandbox_timeout": "authorised", "pm_sandbox_declined": "declined"}


class Ledger:
    """Thread-safe.

    Every method that records returns (entry, whether it is new); the same key returns the same entry again.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = opened(path, SCHEMA)

    def authorise(self, request: AuthorisationRequest) -> tuple[LedgerEntry, bool]:
        """Authorise or decline. Raises: Refused for an unknown token, or a key that was used for another operation."""
        status = TOKENS.get(request.token)
        if status is None:
            raise Refused("unknown_token", f"Tokens are {', '.join(sorted(TOKENS))}.", 422)
        with self._lock, Transaction(self._db):
            if (known := self._find(request.key)) is not None:
                return _same(known, "authorisation", request.amount), False
            reason = None if status == "authorised" else "card_declined"
            if self._children(request.key, "void"):
                status, reason = "declined", "voided_before_authorisation"
            entry = Entry.model_validate(
                {
                    "key": request.key,
                    "kind": "authorisation",
                    "status": status,
                    "amount": request.amount,
                    "currency": request.currency,
                    "reference": request.reference,
                    "reason": reason,
                }
            )
            return self._record(entry), True

    def capture(self, request: MoneyRequest) -> tuple[LedgerEntry, bool]:
        """Capture authorised money.

        Raises: Refused when it is not authorised, was voided, or is less than requested.
        """
        with self._lock, Transaction(self._db):
            if (known := self._find(request.key)) is not None:
                return _same(known, "capture", request.amount), False
            held = self._authorised(request.authorisation_key)
            if self._children(held.key, "void"):
                raise Refused("voided", "The authorisation was voided.")
            if self._sum(held.key, "capture") + request.amount > held.amount:
                raise Refused("exceeds_authorisation", "More than was authorised.")
            return self._record(_child(held, request, "capture", "captured")), True

    def void(self, request: VoidRequest) -> tuple[LedgerEntry, bool]:
        """Void an authorisation, or forbid a later one with its key. Raises: Refused when it was captured."""
        with self._lock, Transaction(self._db):
            if (known := self._find(request.key)) is not None:
                return _same(known, "void", None), False
            held = self._find(request.authorisation_key)
            if held is not None and self._children(held.key, "capture"):
                raise Refused("captured", "The money was captured; refund it.")
            entry = Entry(
                key=request.key,
                kind="void",
                status="voided",
                parent_key=request.authorisation_key,
                amount=held.amount if held else Decimal(0),
                currency=held.currency if held else NO_CURRENCY,
                reference=held.reference if held else "",
            )
            return self._record(entry), True

    def refund(self, request: MoneyRequest) -> tuple[LedgerEntry, bool]:
        """Refund captured money. Raises: Refused when the refunds would exceed the captured amount."""
        with self._lock, Transaction(self._db):
            if (known := self._find(request.key)) is not None:
                return _same(known, "refund", request.amount), False
            held = self._authorised(request.authorisation_key)
            if self._sum(held.key, "refund") + request.amount > self._sum(held.key, "capture"):
                raise Refused("exceeds_capture", "More than was captured.")
            return self._record(_child(held, request, "refund", "refunded")), True

    def load(self, entries: Iterable[Entry]) -> int:
        """Import entries in one commit; known keys are skipped. Returns how many rows are new."""
        now = clock.now().isoformat()
        rows = [_row(entry, now) for entry in entries]
        with self._lock, Transaction(self._db):
            before = self._db.total_changes
            self._db.executemany(INSERT.replace("INSERT", "INSERT OR IGNORE", 1), rows)
            return self._db.total_changes - before

    def page(self, after: int, limit: int) -> list[LedgerEntry]:
        """Up to `limit` rows with a sequence above `after`, in order."""
        with self._lock:
            rows = self._db.execute(PAGE, (after, limit)).fetchall()
        return [_entry(row) for row in rows]

    def _find(self, key: str) -> LedgerEntry | None:
        row = self._db.execute(FIND, (key,)).fetchone()
        return None if row is None else _entry(row)

    def _authorised(self, key: str) -> LedgerEntry:
        entry = self._find(key)
        if entry is None or entry.kind != "authorisation" or entry.status != "authorised":
            raise Refused("not_authorised", "There is no authorised money under that key.")
        return entry

    def _children(self, key: str, kind: str) -> bool:
        return (
            self._db.execute("SELECT 1 FROM entries WHERE parent_key = ? AND kind = ?", (key, kind)).fetchone()
            is not None
        )

    def _sum(self, key: str, kind: str) -> Decimal:
        row = self._db.execute(
            "SELECT coalesce(sum(cents), 0) FROM entries WHERE parent_key = ? AND kind = ?", (key, kind)
        ).fetchone()
        return Decimal(row[0]) / 100

    def _record(self, entry: Entry) -> LedgerEntry:
        self._db.execute(INSERT, _row(entry, clock.now().isoformat()))
        found = self._find(entry.key)
        if found is None:
            raise AssertionError("the row that was just written is gone")
        return found


def _same(known: LedgerEntry, kind: str, amount: Decimal | None) -> LedgerEntry:
    if known.kind != kind or (amount is not None and known.amount != amount):
        raise Refused("key_reused", "This key was used for something else.", 422)
    return known


def _child(held: LedgerEntry, request: MoneyRequest, kind: str, status: str) -> Entry:
    return Entry.model_validate(
        {
            "key": request.key,
            "kind": kind,
            "status": status,
            "parent_key": held.key,
            "amount": request.amount,
            "currency": held.currency,
            "reference": held.reference,
        }
    )


def _row(entry: Entry, now: str) -> tuple[object, ...]:
    reference = f"{PREFIX[entry.kind]}_{secrets.token_hex(12)}"
    cents = int(entry.amount * 100)
    return (
        entry.key,
        entry.kind,
        entry.status,
        entry.parent_key,
        cents,
        entry.currency,
        entry.reference,
        entry.reason,
        entry.origin,
        reference,
        now,
    )


def _entry(row: tuple[object, ...]) -> LedgerEntry:
    names = (
        "sequence",
        "key",
        "kind",
        "status",
        "parent_key",
        "cents",
        "currency",
        "reference",
        "reason",
        "origin",
        "gateway_reference",
    )
    values = dict(zip((*names, "created_at"), row, strict=True))
    cents = values.pop("cents")
    return LedgerEntry.model_validate({**values, "amount": Decimal(str(cents)) / 100})
