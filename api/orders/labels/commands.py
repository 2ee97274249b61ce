"""Ask carriers for rates, buy the label of a parcel, and give it back; finish what was asked, also for returns.

A carrier is never asked while a transaction is open. What is to be asked is written down before, and what came of it
afterwards: a process that dies in between leaves a label `asked` or `cancelling`, and whoever comes next, the seller's
repeated request or the worker, asks again with the same key at the carrier.
"""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson
from fastapi import Response
from sqlalchemy import func, insert, update

from api.kernel import failpoints
from api.kernel.actor import SHOP, Actor
from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx
from api.kernel.errors import Forbidden
from api.kernel.idempotency import RequestKey, Stored, find, run_once
from api.kernel.ids import new_id
from api.kernel.logs import get_logger
from api.kernel.outbox import emit
from api.orders.errors import ImpossibleMove, OrderBeingEdited, StillBeingPlaced, delivered_online
from api.orders.labels.errors import CarrierSilent, HasLabel, LabelRefused, NoLabel
from api.orders.labels.models import LIVE_STATES, ParcelLabel
from api.orders.labels.queries import (
    Label,
    Sending,
    grams_in,
    label_body,
    label_of,
    newest_label,
    open_labels,
    packed,
    sending_of,
)
from api.orders.labels.returning.queries import packed_return, returning_of
from api.orders.labels.schemas import BuyLabel, LabelBody, RateBody, RatesBody
from api.orders.models import Parcel, Return
from api.orders.parcels.commands import impossible_for, the_one
from api.orders.parcels.queries import lock_order_of, parcels_of
from api.orders.queries.privacy import may_see
from api.shipping.carriers.interface import Carrier, CarrierRefused, Offer, Packed, Unreachable
from api.shipping.carriers.interface import Label as Bought
from api.shipping.carriers.registry import carrier_named, carrier_names
from api.shipping.errors import UnknownCarrier
from api.shipping.scans import tracking_id

log = get_logger(__name__)
# An asked label that nobody has finished is taken up by the worker after this.
LEASE = timedelta(seconds=30)
BATCH = 50
LABEL_BOUGHT = "LabelBought"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a label; `by`: its idempotency key, hashed."""

    actor: Actor
    parcel_id: UUID
    request: BuyLabel
    by: str


async def ask_rates(ctx: Context, actor: Actor, parcel_id: UUID, weight_grams: int | None) -> RatesBody:
    """What every carrier asks for a parcel. Raises: ParcelNotFound, Forbidden, ImpossibleMove, CarrierSilent."""
    _require_sender(actor)
    async with ctx.db.read() as tx:
        sending = await sending_of(tx, actor, parcel_id)
        _require_unsent(sending)
        grams = weight_grams or await grams_in(tx, sending)
        parcel = await packed(tx, sending, grams)
    names = carrier_names(ctx)
    offered = await offers_for(ctx, parcel)
    silent = [name for name in names if name not in offered]
    if not offered:
        raise CarrierSilent("No carrier answers; ask again in a moment.")
    rates = [
        RateBody(
            carrier=name,
            service=offer.service,
            speed=offer.speed,
            price=offer.price,
            currency=parcel.currency,
            arrives_on=offer.arrives_on,
        )
        for name, offers in offered.items()
        for offer in offers
    ]
    return RatesBody(weight_grams=grams, rates=rates, silent=silent)


async def buy_label(ctx: Context, actor: Actor, key: RequestKey, parcel_id: UUID, request: BuyLabel) -> Response:
    """Buy the label of a parcel, once however often it is asked for.

    Raises: ParcelNotFound, Forbidden, ImpossibleMove, StillBeingPlaced, UnknownCarrier, HasLabel, LabelRefused,
    CarrierSilent: then it is bought as soon as the carrier answers.
    """
    _require_sender(actor)
    carrier = carrier_named(ctx, request.carrier)
    if carrier is None:
        raise UnknownCarrier(carrier_names(ctx))
    known = await _kept(ctx, key)
    if known is not None:
        return known.response(replayed=True)
    asked = _Asked(actor, parcel_id, request, _asked_by(key))
    label, parcel = await ctx.db.run(lambda tx: _ask(tx, asked))
    try:
        bought = None if label.status == "bought" else await _bought(ctx, carrier, label, parcel)
    except Unreachable as error:
        log.warning("a label waits for its carrier", label=str(label.label_id), reason=str(error))
        raise CarrierSilent(
            "The label is bought as soon as the carrier answers; ask again with the same key."
        ) from None

    async def work(tx: Tx) -> Stored:
        if bought is not None:
            await _store(tx, label, bought)
        return _stored(201, await label_body(tx, actor, parcel_id))

    return await run_once(ctx, key, work)


async def cancel_label(ctx: Context, actor: Actor, key: RequestKey, parcel_id: UUID) -> Response:
    """Give the label of a parcel back that the carrier does not have yet.

    Raises: ParcelNotFound, Forbidden, NoLabel, ImpossibleMove, LabelRefused, CarrierSilent: then it is given back as
    soon as the carrier answers.
    """
    _require_sender(actor)
    known = await _kept(ctx, key)
    if known is not None:
        return known.response(replayed=True)
    label = await ctx.db.run(lambda tx: _let_go(tx, actor, parcel_id))
    try:
        if label.status != "cancelled":
            await _given_back(ctx, label)
    except Unreachable as error:
        log.warning("a label waits to be given back", label=str(label.label_id), reason=str(error))
        raise CarrierSilent("It is given back as soon as the carrier answers; ask again with the same key.") from None

    async def work(tx: Tx) -> Stored:
        await _forget(tx, label)
        return _stored(200, await label_body(tx, actor, parcel_id))

    return await run_once(ctx, key, work)


async def settle_labels(ctx: Context, age: timedelta = LEASE) -> int:
    """Finish what was asked of carriers and whose answer was not written down; returns how many labels."""
    async with ctx.db.read() as tx:
        labels = await open_labels(tx, age, BATCH)
    away: set[str] = set()
    settled = 0
    for label in labels:
        if label.carrier in away:
            continue
        try:
            await (finish_buying(ctx, label) if label.status == "asked" else _finish_cancelling(ctx, label))
            settled += 1
        except (Unreachable, UnknownCarrier) as error:
            log.warning("a label waits for its carrier", label=str(label.label_id), reason=str(error))
            away.add(label.carrier)
        except LabelRefused as error:
            log.warning("a carrier refused", label=str(label.label_id), reason=error.extra.get("carrierCode"))
            settled += 1
        except OrderBeingEdited:
            log.info("a label waits for an edit of its order", label=str(label.label_id))
    return settled


def _require_sender(actor: Actor) -> None:
    if actor.kind not in {"seller", "admin"}:
        raise Forbidden("Only the seller of the parcel, or an administrator, may do this.")


def _require_unsent(sending: Sending) -> None:
    """Raises: ImpossibleMove, also where the table of privacy does not let a carrier see the address."""
    if sending.digital:
        raise delivered_online(sending.status)
    if not may_see("carrier", "shipping_address", sending.status):
        raise ImpossibleMove(
            f"A parcel that is {sending.status.replace('_', ' ')} gets no label.",
            extra={"parcelStatus": sending.status},
        )


def _asked_by(key: RequestKey) -> str:
    return hashlib.sha256(f"{key.actor_key}\n{key.key}".encode()).hexdigest()


async def _kept(ctx: Context, key: RequestKey) -> Stored | None:
    async with ctx.db.read() as tx:
        return await find(tx, key)


async def offers_for(ctx: Context, parcel: Packed) -> dict[str, list[Offer]]:
    """Carrier -> what it offers, of those that answer."""
    names = carrier_names(ctx)
    answers = await asyncio.gather(*(_rates(ctx, name, parcel) for name in names))
    return {name: offers for name, offers in zip(names, answers, strict=True) if offers is not None}


async def _rates(ctx: Context, name: str, parcel: Packed) -> list[Offer] | None:
    carrier = carrier_named(ctx, name)
    try:
        return [] if carrier is None else await carrier.rates(parcel)
    except Unreachable as error:
        log.warning("a carrier gives no rates", carrier=name, reason=str(error))
        return None
    except CarrierRefused as error:
        log.info("a carrier does not take a parcel", carrier=name, reason=error.code)
        return []


async def _ask(tx: Tx, asked: _Asked) -> tuple[Label, Packed]:
    """Write down what the carrier is to be asked; the same request again finds what it wrote before."""
    order = await lock_order_of(tx, asked.actor, asked.parcel_id)
    if order.payment_status == "authorised":
        raise StillBeingPlaced
    sending = await sending_of(tx, asked.actor, asked.parcel_id)
    label = await newest_label(tx, asked.actor, asked.parcel_id)
    if label is not None and label.status in LIVE_STATES:
        _require_same(label, asked)
    else:
        _require_unsent(sending)
        label = await _new(tx, sending, asked)
    return label, await packed(tx, sending, label.weight_grams)


def _require_same(label: Label, asked: _Asked) -> None:
    """Raises: HasLabel when the parcel's label is not the one that is asked for."""
    if label.status == "bought" and label.asked_by == asked.by:
        return
    if (label.status, label.carrier, label.service) == ("asked", asked.request.carrier, asked.request.service):
        return
    advice = "The carrier is being asked; GET the label in a moment."
    if label.status == "bought":
        advice = "Give it back first: POST /sellers/me/parcels/{parcelId}/label/cancel."
    raise HasLabel(advice, extra={"labelStatus": label.status})


async def _new(tx: Tx, sending: Sending, asked: _Asked) -> Label:
    label_id, request = new_id(), asked.request
    values = {
        "label_id": label_id,
        "parcel_id": sending.parcel_id,
        "carrier": request.carrier,
        "service": request.service,
        "weight_grams": request.weight_grams or await grams_in(tx, sending),
        "price": request.price,
        "currency": sending.currency,
        "promised_on": sending.promised_on,
        "asked_by": asked.by,
    }
    await tx.execute(insert(ParcelLabel).values(values))
    return await label_of(tx, label_id)


async def _bought(ctx: Context, carrier: Carrier, label: Label, parcel: Packed) -> Bought:
    """Raises: Unreachable, LabelRefused: then the label is written down as refused."""
    failpoints.hit("shipping.before_buying")
    try:
        bought = await carrier.buy(label.carrier_key, parcel, label.service, label.price)
    except CarrierRefused as error:
        code = error.code
        await ctx.db.run(lambda tx: _refuse(tx, label, code))
        raise _refused(code) from None
    failpoints.hit("shipping.after_buying")
    return bought


async def _store(tx: Tx, label: Label, bought: Bought) -> None:
    """Write down a label that was bought, once. Its scans may have come before it: it is due."""
    order = await lock_order_of(tx, SHOP, label.parcel_id)
    parcel = the_one(await parcels_of(tx, order.order_id), label.parcel_id)
    # Bought for a parcel that was cancelled meanwhile: it goes back.
    status = "cancelling" if parcel.status == "cancelled" else "bought"
    stored = await tx.execute(
        update(ParcelLabel)
        .where(ParcelLabel.label_id == label.label_id, ParcelLabel.status == "asked")
        .values(
            status=status,
            price=bought.price,
            arrives_on=bought.arrives_on,
            promised_on=func.greatest(ParcelLabel.promised_on, bought.arrives_on),
            tracking_number=bought.tracking_number,
            tracking_id=tracking_id(label.carrier, bought.tracking_number),
            due=True,
            # A return that is never sent is not lost.
            watched=label.return_id is None,
            updated_at=func.now(),
        )
    )
    if not stored.rowcount:
        return
    if label.return_id is None:
        await _follow_label(tx, label, bought)
    await _tell(tx, label, LABEL_BOUGHT)


async def _follow_label(tx: Tx, label: Label, bought: Bought) -> None:
    """The parcel has the carrier and the number of its label."""
    await tx.execute(
        update(Parcel)
        .where(Parcel.parcel_id == label.parcel_id, Parcel.status.in_(("confirmed", "processing")))
        .values(carrier=label.carrier, tracking_number=bought.tracking_number, updated_at=func.now())
    )


async def _let_go(tx: Tx, actor: Actor, parcel_id: UUID) -> Label:
    """Write down that the label is to be given back; the same request again finds that it was."""
    order = await lock_order_of(tx, actor, parcel_id)
    label = await newest_label(tx, actor, parcel_id)
    if label is None or label.status == "refused":
        raise NoLabel
    if label.status in {"cancelling", "cancelled"}:
        return label
    if label.status == "asked":
        raise HasLabel("The carrier is being asked for it; try again in a moment.", extra={"labelStatus": "asked"})
    parcel = the_one(await parcels_of(tx, order.order_id), parcel_id)
    if parcel.status not in {"confirmed", "processing", "cancelled"}:
        raise impossible_for(parcel, "given back")
    await tx.execute(
        update(ParcelLabel)
        .where(ParcelLabel.label_id == label.label_id)
        .values(status="cancelling", updated_at=func.now())
    )
    return await label_of(tx, label.label_id)


async def _given_back(ctx: Context, label: Label) -> None:
    """Raises: Unreachable, UnknownCarrier, LabelRefused: then the label stays bought."""
    carrier = _carrier(ctx, label)
    try:
        await carrier.cancel(label.carrier_key)
    except CarrierRefused as error:
        kept = (
            update(ParcelLabel)
            .where(ParcelLabel.label_id == label.label_id, ParcelLabel.status == "cancelling")
            .values(status="bought", updated_at=func.now())
        )
        await ctx.db.run_alone(lambda tx: tx.execute(kept))
        raise _refused(error.code) from None
    failpoints.hit("shipping.after_cancelling")


async def _forget(tx: Tx, label: Label) -> None:
    """Write down a label that was given back, once."""
    await lock_order_of(tx, SHOP, label.parcel_id)
    done = update(ParcelLabel).where(ParcelLabel.label_id == label.label_id, ParcelLabel.status == "cancelling")
    values = {"status": "cancelled", "due": False, "watched": False, "updated_at": func.now()}
    if not (await tx.execute(done.values(values))).rowcount:
        return
    await tx.execute(
        update(Parcel)
        .where(Parcel.parcel_id == label.parcel_id, Parcel.tracking_number == label.tracking_number)
        .values(carrier=None, tracking_number=None, updated_at=func.now())
    )
    await _tell(tx, label, "LabelCancelled")


async def finish_buying(ctx: Context, label: Label) -> None:
    """Raises: Unreachable, UnknownCarrier, LabelRefused."""
    async with ctx.db.read() as tx:
        parcel = await _packed(tx, label)
    if parcel is None:
        await _drop(ctx, label)
        return
    bought = await _bought(ctx, _carrier(ctx, label), label, parcel)
    await ctx.db.run(lambda tx: _store(tx, label, bought))


async def _packed(tx: ReadTx, label: Label) -> Packed | None:
    """What the label is for; None when it needs none any more."""
    if label.return_id is not None:
        coming = await returning_of(tx, label.return_id)
        return None if coming is None else await packed_return(tx, coming, label.weight_grams)
    sending = await sending_of(tx, SHOP, label.parcel_id)
    may_go = may_see("carrier", "shipping_address", sending.status)
    return await packed(tx, sending, label.weight_grams) if may_go else None


async def _drop(ctx: Context, label: Label) -> None:
    """The label of a parcel that needs none any more, asked for and perhaps bought: the carrier takes it back, and
    sells none under this key. Raises: Unreachable, UnknownCarrier."""
    with suppress(CarrierRefused):
        await _carrier(ctx, label).cancel(label.carrier_key)
    await ctx.db.run(lambda tx: _refuse(tx, label, "parcel_closed"))


async def _refuse(tx: Tx, label: Label, code: str) -> None:
    """Write down a label that the carrier refused, once. A return whose label costs more now gets another."""
    asked = (ParcelLabel.label_id == label.label_id, ParcelLabel.status == "asked")
    values = {"status": "refused", "refusal": code[:50], "updated_at": func.now()}
    refused = await tx.execute(update(ParcelLabel).where(*asked).values(values))
    if refused.rowcount and label.return_id is not None and code == "price_changed":
        await tx.execute(update(Return).where(Return.return_id == label.return_id).values(label_due=True))


async def _finish_cancelling(ctx: Context, label: Label) -> None:
    """Raises: Unreachable, UnknownCarrier, LabelRefused."""
    await _given_back(ctx, label)
    await ctx.db.run(lambda tx: _forget(tx, label))


def _carrier(ctx: Context, label: Label) -> Carrier:
    """Raises: UnknownCarrier for one that is not configured any more."""
    carrier = carrier_named(ctx, label.carrier)
    if carrier is None:
        raise UnknownCarrier(carrier_names(ctx))
    return carrier


async def _tell(tx: Tx, label: Label, event: str) -> None:
    payload = {"parcelId": label.parcel_id, "orderId": label.order_id, "carrier": label.carrier, "price": label.price}
    if label.return_id is not None:
        payload["returnId"] = label.return_id
    await emit(tx, "label", label.label_id, event, payload)


def _refused(code: str) -> LabelRefused:
    advice = "Ask for the rates again." if code == "price_changed" else "Choose another offer, or another carrier."
    return LabelRefused(f"The carrier says {code}. {advice}", extra={"carrierCode": code})


def _stored(status: int, body: LabelBody) -> Stored:
    return Stored(status, orjson.dumps(body.model_dump(mode="json", by_alias=True)))
