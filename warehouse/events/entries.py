"""An entry of the stream, what reads and what takes entries, and the row of the lake that one becomes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

# Not what somebody did: the shop's word that an account wants its searches forgotten (`forgetting.Erasing`).
FORGET = "forgetSearches"
EVENT_TYPES = frozenset({"view", "click", "impression", "addToCart", "search", "purchase", FORGET})
ORIGINS = frozenset({"client", "server"})
_CLOCK_ERROR = timedelta(hours=1)
_INT32 = 2**31

Row = dict[str, object]


class Rejected(ValueError):
    """The entry is no event; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the stream holds it. Positions of a partition never fall; `sent_at` is the stream's own time.

    Entries may share a position: then no later one does, and reading on after it repeats them.
    """

    partition: str
    position: int
    entry_id: str
    sent_at: datetime
    fields: Mapping[bytes, bytes]

    def as_json(self) -> str:
        """The fields for a person, whatever bytes they hold."""
        return json.dumps({_shown(name): _shown(value) for name, value in self.fields.items()}, sort_keys=True)


class Source(Protocol):
    """A stream of entries in partitions. The consumer owns the positions; the source keeps what was not acknowledged.

    Each method raises `SourceUnavailable` while the stream does not answer.
    """

    def open(self, landed: "Positions") -> Sequence[str]:
        """Continue after the position that the lake has of each partition.

        Returns the partitions that do not reach it any more: they are read from their beginning.
        """

    def read(self, limit: int, wait_seconds: float) -> list[Entry]:
        """The next entries, at most `limit`; none when nothing arrived in `wait_seconds`."""

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        """Everything up to these positions is durable in the lake and may be discarded."""

    def length(self) -> int | None:
        """Entries that the stream holds; None when it cannot be asked."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass
class Landed:
    """What became of the entries of a batch. `late`: events of an earlier UTC day than that of their receipt."""

    rows: int = 0
    duplicates: int = 0
    rejected: int = 0
    late: int = 0
    future: int = 0
    reached: dict[str, int] = field(default_factory=dict)


class Target(Protocol):
    """Where entries go. Everything up to `reached` is durable there when `land` returns."""

    def position(self, partition: str) -> int:
        """The last position of a partition that it has, 0 when it cannot tell."""

    def land(self, entries: Sequence[Entry]) -> Landed:
        """Take a batch, in the order of the stream."""

    def restart(self, partition: str) -> None:
        """The partition began anew: its positions are not those of entries seen before."""

    def tidy(self) -> None:
        """Do one piece of other work while nothing is due."""


class Positions(Protocol):
    """The position that the lake has of a partition, 0 before the first entry."""

    def __call__(self, partition: str) -> int: ...


class SourceUnavailable(RuntimeError):
    """The stream does not answer; the message says why."""


def moment(milliseconds: int) -> datetime:
    """A time of the stream; now where it is none that a calendar has."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def reached_by(entries: Sequence[Entry]) -> dict[str, int]:
    """The highest position of each partition."""
    reached: dict[str, int] = {}
    for entry in entries:
        reached[entry.partition] = max(entry.position, reached.get(entry.partition, 0))
    return reached


def row_of(entry: Entry, now: datetime, horizon: timedelta) -> Row:
    """The lake's row. Raises Rejected.

    An event from the future gets the time of its receipt. One that is older than `horizon` when it arrives is rejected:
    its id can no longer be told from a repeat.
    """
    fields = _texts(entry.fields)
    received = _instant(fields, "receivedAt")
    if received is None or received > now + _CLOCK_ERROR:
        raise Rejected("receivedAt: missing or in the future")
    occurred = _instant(fields, "occurredAt") or received
    time_source = fields.get("timeSource", "client")
    if occurred > received:
        occurred, time_source = received, "future"
    if received - occurred > horizon or now - received > horizon:
        raise Rejected("too old")
    if fields.get("type") == FORGET and (fields.get("origin") != "server" or "userId" not in fields):
        raise Rejected("type: only the shop says so, of an account")
    return {
        "event_id": _required(_uuid(fields, "eventId"), "eventId"),
        "origin": _one_of(fields, "origin", ORIGINS, "client"),
        "event_type": _one_of(fields, "type", EVENT_TYPES, None),
        "product_id": _uuid(fields, "productId"),
        "query": fields.get("query"),
        "user_id": _uuid(fields, "userId"),
        "session_key": fields.get("sessionKey"),
        "source": fields.get("source"),
        "campaign": fields.get("campaign"),
        "list_position": _whole(fields, "position"),
        "quantity": _whole(fields, "quantity"),
        "order_id": _uuid(fields, "orderId"),
        "result_count": _whole(fields, "resultCount"),
        "search_id": _uuid(fields, "searchId"),
        "relaxed_words": fields.get("relaxed"),
        "corrected_query": fields.get("corrected"),
        "sort": fields.get("sort"),
        "filter_names": fields.get("filters"),
        "page": _whole(fields, "page"),
        "page_size": _whole(fields, "pageSize"),
        "shown_products": fields.get("products"),
        "language": fields.get("language"),
        "is_bot": fields.get("bot") == "1",
        "time_source": time_source,
        "occurred_at": occurred,
        "received_at": received,
        "landed_at": now,
        "day": occurred.date(),
    }


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    try:
        return {name.decode(): value.decode() for name, value in fields.items()}
    except UnicodeDecodeError:
        raise Rejected("not UTF-8") from None


def _instant(fields: Mapping[str, str], name: str) -> datetime | None:
    text = fields.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        raise Rejected(f"{name}: no time") from None


def _uuid(fields: Mapping[str, str], name: str) -> str | None:
    text = fields.get(name)
    if text is None:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        raise Rejected(f"{name}: no UUID") from None


def _whole(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < _INT32):
        raise Rejected(f"{name}: no number")
    return int(text)


def _one_of(fields: Mapping[str, str], name: str, known: frozenset[str], default: str | None) -> str:
    value = fields.get(name, default)
    if value not in known:
        raise Rejected(f"{name}: not known")
    return str(value)


def _required(value: str | None, name: str) -> str:
    if value is None:
        raise Rejected(f"{name}: missing")
    return value


def _shown(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
