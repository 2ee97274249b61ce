"""What a seller does with a parcel: start on it, ship it, deliver it.

Each is one transaction: lock the order's row, so that all changes of one order take turns, check, write, and store the
answer under the request's idempotency key.
"""

from typing import Literal
from uuid import UUID

from fastapi import Response

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Forbidden
from api.kernel.idempotency import RequestKey
from api.orders.commands.change import change_order
from api.orders.errors import ImpossibleMove, OthersNotReady, ParcelNotFound, StillBeingPlaced, delivered_online
from api.orders.parcels.moving import move_parcels
from api.orders.parcels.packing import waits_for
from api.orders.parcels.queries import LockedOrderOf, LockedParcel, lock_order_of, parcels_of
from api.orders.parcels.schemas import ParcelState, ShipParcel
from api.orders.parcels.statements import ParcelMove
from api.orders.states import may_follow

Wanted = Literal["processing", "shipped", "delivered"]


async def advance_parcel(
    ctx: Context, actor: Actor, key: RequestKey, parcel_id: UUID, wanted: Wanted, *, label: ShipParcel | None = None
) -> Response:
    """One step of a parcel by its seller, or an administrator; `label` says who carries it.

    Raises: ParcelNotFound, Forbidden, ImpossibleMove, StillBeingPlaced, OthersNotReady.
    """
    return await change_order(ctx, key, lambda tx: _advance(tx, actor, parcel_id, wanted, label or ShipParcel()))


async def _advance(tx: Tx, actor: Actor, parcel_id: UUID, wanted: Wanted, label: ShipParcel) -> ParcelState:
    if actor.kind not in {"seller", "admin"}:
        raise Forbidden("Only the seller of the parcel, or an administrator, may do this.")
    order = await lock_order_of(tx, actor, parcel_id)
    parcels = await parcels_of(tx, order.order_id)
    parcel = the_one(parcels, parcel_id)
    require_sent(parcel)
    # The state machine also has a step from return_requested to delivered: it refuses a return and is no delivery.
    if not may_follow(parcel.status, wanted) or parcel.status == "return_requested" or parcel.lost:
        raise impossible_for(parcel, wanted)
    if order.payment_status == "authorised":
        raise StillBeingPlaced
    if wanted == "shipped":
        _let_wait(order, parcel, parcels)
    move = ParcelMove(
        parcel_id,
        order.order_id,
        parcel.status,
        wanted,
        actor.kind,
        carrier=label.carrier,
        tracking_number=label.tracking_number,
    )
    await move_parcels(tx, order, parcels, [move])
    return ParcelState(
        parcel_id=parcel_id,
        order_id=order.order_id,
        number=parcel.number,
        status=wanted,
        carrier=label.carrier or parcel.carrier,
        tracking_number=label.tracking_number or parcel.tracking_number,
    )


def _let_wait(order: LockedOrderOf, parcel: LockedParcel, parcels: list[LockedParcel]) -> None:
    """Raises: OthersNotReady, which names the parcels that this one is to be sent with."""
    everyone = [(other.number, other.seller_id, other.status) for other in parcels if not other.digital]
    missing = waits_for(order.shipping_preference, parcel.seller_id, everyone)
    if missing:
        raise OthersNotReady(
            "Start on the parcels named in `parcels`, or cancel them, before you send this one.",
            extra={"parcels": missing},
        )


def the_one(parcels: list[LockedParcel], parcel_id: UUID) -> LockedParcel:
    """The parcel with this id. Raises: ParcelNotFound."""
    for parcel in parcels:
        if parcel.parcel_id == parcel_id:
            return parcel
    raise ParcelNotFound


def require_sent(parcel: LockedParcel) -> None:
    """Raises: ImpossibleMove for one that nobody sends."""
    if parcel.digital:
        raise delivered_online(parcel.status)


def impossible_for(parcel: LockedParcel, wanted: str) -> ImpossibleMove:
    """The refusal of a move of a parcel."""
    if parcel.lost:
        return ImpossibleMove(
            "The parcel was given up as lost, and its buyer refunded.", extra={"parcelStatus": "lost"}
        )
    return ImpossibleMove(
        f"A parcel that is {parcel.status.replace('_', ' ')} cannot become {wanted.replace('_', ' ')}.",
        extra={"parcelStatus": parcel.status},
    )
