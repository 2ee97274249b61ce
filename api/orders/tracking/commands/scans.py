"""Take what a carrier says, once and whole, and let the parcels follow it.

A message is stored before anything follows from it, and answered after both: a carrier that gets no answer sends it
again, and nothing is lost or done twice. What cannot follow yet, because the parcel is not packed or its label is not
written down, is kept, and the worker lets it follow when it can.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import ARRAY, DateTime, Executable, String, Text, Uuid, any_, bindparam, column, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from api.kernel import failpoints
from api.kernel.actor import SHOP
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.logs import get_logger
from api.orders.errors import OrderBeingEdited
from api.orders.labels.models import ParcelLabel
from api.orders.parcels.commands import the_one
from api.orders.parcels.moving import move_parcels
from api.orders.parcels.queries import LockedParcel, parcels_of
from api.orders.parcels.statements import ParcelMove
from api.orders.queries.locked import LockedOrder, lock_order
from api.orders.refunds import settle_refunds
from api.orders.tracking.commands.losses import book_loss
from api.orders.tracking.errors import ScanReused
from api.orders.tracking.models import ParcelScan
from api.orders.tracking.queries import SCAN, carried, due_labels, scans_of
from api.orders.tracking.schemas import ScansTaken
from api.shipping.scans import Scan, carriage_of, delivered_at, steps_of, tracking_id

log = get_logger(__name__)
BATCH = 100


@dataclass(frozen=True, slots=True)
class Followed:
    """An order whose parcel was given up: its refund is to be asked for."""

    order_id: UUID
    lost: bool


async def take_scans(ctx: Context, carrier: str, scans: Sequence[Scan]) -> ScansTaken:
    """Store the events of a message and let their parcels follow. Raises: ScanReused, then none is stored."""
    taken = await ctx.db.run(lambda tx: _store(tx, carrier, scans))
    failpoints.hit("shipping.after_taking")
    ids = sorted({tracking_id(carrier, scan.tracking_number) for scan in scans})
    # After the commit: a label that is written down at the same moment sees the scans, or is seen here.
    labels = await ctx.db.run_alone(lambda tx: tx.all(_MARK_DUE, {"tracking_ids": ids}))
    for (label_id,) in sorted(labels):
        await _follow_or_leave(ctx, label_id)
    return ScansTaken(taken=taken, repeated=len(scans) - taken)


async def follow_due(ctx: Context) -> int:
    """Let parcels follow the scans that were kept; returns how many were looked at."""
    async with ctx.db.read() as tx:
        labels = await due_labels(tx, BATCH)
    for label_id in labels:
        await _follow_or_leave(ctx, label_id)
    return len(labels)


async def follow_scans(ctx: Context, label_id: UUID) -> None:
    """Take a label's parcel to where all of its scans say it is."""
    followed = await ctx.db.run(lambda tx: _follow(tx, label_id))
    if followed is not None and followed.lost:
        await settle_refunds(ctx, followed.order_id)


async def _follow_or_leave(ctx: Context, label_id: UUID) -> None:
    """The same; the scans are stored, so what does not succeed now, or must wait for an edit of the order, is the
    worker's."""
    try:
        await follow_scans(ctx, label_id)
    except (psycopg.Error, OrderBeingEdited) as error:
        log.warning("a parcel follows its scans later", label=str(label_id), reason=type(error).__name__)


async def _store(tx: Tx, carrier: str, scans: Sequence[Scan]) -> int:
    """Insert those that are not there; returns how many. Raises: ScanReused."""
    columns = {
        "event_ids": [scan.event_id for scan in scans],
        "tracking_ids": [tracking_id(carrier, scan.tracking_number) for scan in scans],
        "tracking_numbers": [scan.tracking_number for scan in scans],
        "kinds": [scan.kind for scan in scans],
        "times": [scan.occurred_at for scan in scans],
        "places": [scan.place for scan in scans],
        "notes": [scan.note for scan in scans],
    }
    taken = (await tx.execute(_STORE, {"carrier": carrier, **columns})).rowcount
    kept = {
        scan.event_id: scan
        for scan in await tx.all_as(Scan, _KEPT, {"carrier": carrier, "event_ids": columns["event_ids"]})
    }
    other = sorted({scan.event_id for scan in scans if kept.get(scan.event_id) != scan})
    if other:
        raise ScanReused("Nothing of the message was taken; give another event another id.", extra={"eventIds": other})
    return taken


async def _follow(tx: Tx, label_id: UUID) -> Followed | None:
    label = await carried(tx, label_id)
    if label is None:
        return None
    # The order first, as every change of it; the label's mark before its scans are read, so that one that comes
    # meanwhile sets it again.
    order = await lock_order(tx, SHOP, label.order_id)
    await tx.execute(_UNMARK, {"label_id": label_id})
    scans = await scans_of(tx, label.tracking_id)
    carriage = carriage_of(scans)
    seen = {"carriage": carriage, "last_scan_at": max((scan.occurred_at for scan in scans), default=None)}
    write = update(ParcelLabel).where(ParcelLabel.label_id == label_id)
    if label.return_id is not None:
        # What comes back moves no parcel, and decides no return: its seller does.
        await tx.execute(write.values(seen))
        return None
    parcels = await parcels_of(tx, label.order_id)
    parcel = the_one(parcels, label.parcel_id)
    if not parcel.lost:
        order, parcels = await _move(tx, order, parcels, parcel, scans)
        parcel = the_one(parcels, label.parcel_id)
    lost = carriage == "lost" and parcel.status == "shipped" and not parcel.lost
    if lost:
        await book_loss(tx, order, parcels, parcel, "the carrier says that it is lost")
    values = {
        **seen,
        "due": bool(scans) and parcel.status in {"pending", "confirmed"},
        "watched": not (lost or parcel.lost) and parcel.status in {"confirmed", "processing", "shipped"},
    }
    await tx.execute(write.values(values))
    return Followed(label.order_id, lost)


async def _move(
    tx: Tx, order: LockedOrder, parcels: list[LockedParcel], parcel: LockedParcel, scans: Sequence[Scan]
) -> tuple[LockedOrder, list[LockedParcel]]:
    """The steps of the parcel, the last with its time by the carrier; the order and its parcels as they are then."""
    for wanted in steps_of(parcel.status, carriage_of(scans)):
        at = delivered_at(scans) if wanted == "delivered" else None
        move = ParcelMove(parcel.parcel_id, order.order_id, parcel.status, wanted, "service", "scanned", at=at)
        status = await move_parcels(tx, order, parcels, [move])
        moved = replace(parcel, status=wanted, begun=True)
        parcels = [moved if one.parcel_id == parcel.parcel_id else one for one in parcels]
        order, parcel = replace(order, status=status), moved
    return order, parcels


def _store_statement() -> Executable:
    """Insert scans, given as columns, that are not there."""
    given: dict[str, tuple[InstrumentedAttribute[Any], TypeEngine[Any]]] = {  # Any: columns of several types
        "event_ids": (ParcelScan.event_id, String()),
        "tracking_ids": (ParcelScan.tracking_id, Uuid()),
        "tracking_numbers": (ParcelScan.tracking_number, String()),
        "kinds": (ParcelScan.kind, String()),
        "times": (ParcelScan.occurred_at, DateTime(timezone=True)),
        "places": (ParcelScan.place, Text()),
        "notes": (ParcelScan.note, Text()),
    }
    lists = func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, (_, kind) in given.items()))
    rows = lists.table_valued(*(column(name, kind) for name, (_, kind) in given.items())).render_derived("given")
    values = select(bindparam("carrier", type_=String), *(rows.c[name] for name in given))
    return (
        insert(ParcelScan)
        .from_select([ParcelScan.carrier, *(one for one, _ in given.values())], values)
        .on_conflict_do_nothing(index_elements=[ParcelScan.carrier, ParcelScan.event_id])
    )


_STORE = _store_statement()
_KEPT = SCAN.where(
    ParcelScan.carrier == bindparam("carrier", type_=String),
    ParcelScan.event_id == any_(bindparam("event_ids", type_=ARRAY(String))),
)
_MARK_DUE = (
    update(ParcelLabel)
    .where(
        ParcelLabel.tracking_id == any_(bindparam("tracking_ids", type_=ARRAY(Uuid))),
        ParcelLabel.status.in_(("bought", "cancelling")),
    )
    .values(due=True)
    .returning(ParcelLabel.label_id)
)
_UNMARK = update(ParcelLabel).where(ParcelLabel.label_id == bindparam("label_id", type_=Uuid)).values(due=False)
