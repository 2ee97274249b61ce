"""What a carrier's scans say of a parcel: one pure function of the set of them, whatever the order they arrive in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID, uuid5

ScanKind = Literal["accepted", "in_transit", "out_for_delivery", "delivered", "exception", "lost"]
Carriage = Literal["in_transit", "out_for_delivery", "delivered", "exception", "lost"]
SCAN_KINDS: tuple[ScanKind, ...] = get_args(ScanKind)
CARRIAGES: tuple[Carriage, ...] = get_args(Carriage)
_TRACKED = UUID("6d0e3f0c-5d3f-4f0f-9d53-0a2f5c7d1b11")
# Of two scans of one moment the later kind counts.
_RANK = {kind: rank for rank, kind in enumerate(SCAN_KINDS)}


@dataclass(frozen=True, slots=True)
class Scan:
    """One event of a carrier. `event_id` is the carrier's, the same however often it is sent."""

    event_id: str
    tracking_number: str
    kind: ScanKind
    occurred_at: datetime
    place: str | None = None
    note: str | None = None


def tracking_id(carrier: str, tracking_number: str) -> UUID:
    """What stands for a carrier's tracking number where the number itself must not be read."""
    return uuid5(_TRACKED, f"{carrier}:{tracking_number}")


def carriage_of(scans: Iterable[Scan]) -> Carriage | None:
    """Where the parcel is, by all of its scans; None without any.

    Delivered is final: a parcel that was found again after it was given up has arrived. Otherwise the last word counts,
    by when the carrier says it happened.
    """
    known = list(scans)
    if not known:
        return None
    if any(scan.kind == "delivered" for scan in known):
        return "delivered"
    last = max(known, key=lambda scan: (scan.occurred_at, _RANK[scan.kind]))
    return "in_transit" if last.kind == "accepted" else last.kind


def delivered_at(scans: Iterable[Scan]) -> datetime | None:
    """When it arrived, by the carrier's first word of it."""
    return min((scan.occurred_at for scan in scans if scan.kind == "delivered"), default=None)


def steps_of(status: str, carriage: Carriage | None) -> tuple[str, ...]:
    """The steps that take a parcel to where its scans say it is.

    One that is not packed takes none yet: what the carrier says is kept until its seller has started on it.
    """
    if carriage is None or status not in {"processing", "shipped"}:
        return ()
    arrived = ("delivered",) if carriage == "delivered" else ()
    return ("shipped", *arrived) if status == "processing" else arrived
