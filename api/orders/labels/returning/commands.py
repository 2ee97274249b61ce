"""Ask a carrier for the labels of approved returns.

An approval leaves the return `label_due`, in its own commit. The worker asks every carrier what it takes, writes down
the cheapest offer as a label `asked`, and buys it: from there on it is finished as every label is, by its key, so a
process that dies on the way leaves one label.
"""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Uuid, bindparam, insert, update

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.logs import get_logger
from api.kernel.outbound import Unreachable
from api.orders.labels.commands import BATCH, finish_buying, offers_for
from api.orders.labels.errors import LabelRefused
from api.orders.labels.models import ParcelLabel
from api.orders.labels.queries import Label, label_of
from api.orders.labels.returning.queries import Returning, grams_back, packed_return, returning_of, returns_due
from api.orders.models import Return
from api.orders.parcels.queries import lock_order_of
from api.shipping.carriers.interface import Packed

log = get_logger(__name__)
SHOP = Actor("service")


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is to be bought for a return."""

    carrier: str
    service: str
    price: Decimal


async def label_returns(ctx: Context) -> int:
    """Buy the labels that approved returns wait for; returns how many carriers were asked for."""
    async with ctx.db.read() as tx:
        waiting = await returns_due(tx, BATCH)
    asked = 0
    for coming in waiting:
        try:
            asked += await _label(ctx, coming)
        except Unreachable as error:
            log.warning("labels of returns wait for their carrier", reason=str(error))
            break
        except LabelRefused as error:
            log.warning("a carrier refused", rma=str(coming.return_id), reason=error.extra.get("carrierCode"))
    return asked


async def _label(ctx: Context, coming: Returning) -> bool:
    """Whether a carrier was asked. Raises: Unreachable, LabelRefused."""
    async with ctx.db.read() as tx:
        known = await returning_of(tx, coming.return_id)
        parcel = None if known is None else await packed_return(tx, known, await grams_back(tx, known))
    offer = None if parcel is None else await _cheapest(ctx, parcel)
    if parcel is None or offer is None:
        log.warning("no carrier takes a return", rma=str(coming.return_id))
        await ctx.db.run(lambda tx: tx.execute(_TAKE, {"return_id": coming.return_id}))
        return False
    label = await ctx.db.run(lambda tx: _ask(tx, coming, parcel, offer))
    if label is not None:
        await finish_buying(ctx, label)
    return label is not None


async def _cheapest(ctx: Context, parcel: Packed) -> _Offer | None:
    """The best offer of the carriers that answer; None when they offer none. Raises: Unreachable when none answers."""
    offered = await offers_for(ctx, parcel)
    if not offered:
        raise Unreachable("no carrier answers")
    offers = [_Offer(name, one.service, one.price) for name, some in offered.items() for one in some]
    return min(offers, key=lambda one: (one.price, one.carrier, one.service), default=None)


async def _ask(tx: Tx, coming: Returning, parcel: Packed, offer: _Offer) -> Label | None:
    """Write down what the carrier is to be asked; None when another process did."""
    await lock_order_of(tx, SHOP, coming.parcel_id)
    if not (await tx.execute(_TAKE, {"return_id": coming.return_id})).rowcount:
        return None
    label_id = new_id()
    values = {
        "label_id": label_id,
        "parcel_id": coming.parcel_id,
        "return_id": coming.return_id,
        "carrier": offer.carrier,
        "service": offer.service,
        "weight_grams": parcel.weight_grams,
        "price": offer.price,
        "currency": parcel.currency,
        # No request asked for it.
        "asked_by": "",
    }
    await tx.execute(insert(ParcelLabel).values(values))
    return await label_of(tx, label_id)


_TAKE = (
    update(Return)
    .where(Return.return_id == bindparam("return_id", type_=Uuid), Return.label_due)
    .values(label_due=False)
)
