"""Stage, show, drop and commit edits; complete those whose process died."""

from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

import orjson
import psycopg
from fastapi import Response

from api.catalog.purchase import Occasion
from api.catalog.queries.categories import paths_of
from api.catalog.queries.offers import sold_now
from api.checkout.dividing.destinations import checked_address
from api.checkout.edits import lease
from api.checkout.edits.changing import complete
from api.checkout.edits.driver import NOTHING, drive
from api.checkout.edits.errors import EditPending
from api.checkout.edits.lease import LeasedEdit
from api.checkout.edits.planning import Today, place_of, plan_edit, variants_of
from api.checkout.edits.schemas import ChangeBody, CommitEdit, EditBody, EditPlan, StageEdit
from api.checkout.errors import OutOfStock, PaymentUnavailable, TotalChanged
from api.checkout.saga.driver import LostLease
from api.checkout.schemas import PaymentMethod, SavedAddress
from api.delivery.addresses import Checked
from api.identity.errors import AddressNotFound
from api.identity.queries import address_of
from api.inventory import statements as stock
from api.inventory.warehouses.kept import origins_in
from api.kernel import clock, failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx, is_unavailable
from api.kernel.errors import FieldError, Forbidden, Problem, ValidationFailed
from api.kernel.idempotency import LOCK_TIMEOUT, RequestInFlight, RequestKey, Stored, claim_part, find, run_once
from api.kernel.ids import new_id
from api.kernel.languages import Reader
from api.kernel.logs import get_logger, trace_id
from api.kernel.money import ZERO
from api.kernel.outbox import Event, events_part
from api.kernel.statement import Part, compose
from api.orders.edits import statements
from api.orders.edits.errors import EditOver, OrderChanged
from api.orders.edits.queries import Editable, StoredEdit, edit_of, editable
from api.orders.errors import OrderBeingEdited, StillBeingPlaced
from api.orders.refunds import settle_refunds
from api.payments.statements import NewPayment, open_part
from api.promotions.queries import pays_fee_of

log = get_logger(__name__)

_STATUS = {"staged": "staged", "completed": "completed", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class _Free:
    """An edit that has nothing to charge."""

    edit_id: UUID
    actor: Actor
    key: str
    plan: EditPlan
    amount: Decimal = ZERO


async def stage_edit(
    ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: StageEdit, *, language: str | None = None
) -> Response:
    """Price a change of the buyer's order; nothing is changed, held or charged. New lines keep their titles in the
    `language`; None: the shop's own.

    Raises: OrderNotFound, Forbidden, StillBeingPlaced, OrderBeingEdited, and the problems of `plan_edit`.
    """

    async def work(tx: Tx) -> Stored:
        reader = ctx.settings.languages.reader(language or ctx.settings.languages.own)
        body = await _stage(ctx, tx, actor, order_id, request, reader=reader)
        return Stored(201, orjson.dumps(body.model_dump(mode="json", by_alias=True)))

    return await run_once(ctx, key, work)


async def show_edit(ctx: Context, actor: Actor, place: tuple[UUID, UUID]) -> EditBody:
    """One edit of the buyer. Raises: EditNotFound."""
    async with ctx.db.read() as tx:
        return _body(await edit_of(tx, actor, place))


async def drop_edit(ctx: Context, actor: Actor, place: tuple[UUID, UUID]) -> None:
    """Forget a staged edit. Raises: EditNotFound, EditOver."""

    async def work(tx: Tx) -> None:
        edit = await edit_of(tx, actor, place, lock=True)
        if edit.point != "staged":
            raise EditOver("It is paid for or over; only a staged edit is dropped.", extra={"point": edit.point})
        await tx.execute(*compose([statements.drop_part(edit.edit_id)], statements.DROPPED))

    await ctx.db.run(work)


async def commit_edit(
    ctx: Context, actor: Actor, key: RequestKey, place: tuple[UUID, UUID], request: CommitEdit
) -> Response:
    """Change the order as it was staged: charge the difference first, or refund it afterwards.

    Raises: EditNotFound, EditOver, OrderChanged, TotalChanged, OutOfStock, PaymentDeclined, PaymentUnavailable,
    StillBeingPlaced, OrderBeingEdited, ValidationFailed (without the payment method that is needed).
    """
    failpoints.hit("checkout.edit_before_begin")
    begun = await _begun(_Asked(ctx, actor, key, place, request))
    if isinstance(begun, Response):
        await settle_refunds(ctx, place[0])
        return begun
    failpoints.hit("checkout.edit_after_begin")
    try:
        edit, answer = await drive(ctx, begun, inline=True)
    except LostLease:
        raise _pending() from None
    except psycopg.Error as error:
        if not is_unavailable(error):
            raise
        log.warning("the database does not answer in the middle of an edit", edit=str(begun.edit_id))
        raise _pending(5) from error
    if isinstance(answer, Stored):
        return answer.response()
    if isinstance(answer, Problem):
        raise answer
    if edit.point == "confirmed":
        raise _pending(2)
    raise PaymentUnavailable(f"The edit could not be completed; {NOTHING}.")


async def complete_abandoned(ctx: Context) -> int:
    """Take over every edit whose lease expired, and run each as far as possible; returns how many."""
    taken = 0
    while (edit := await lease.take_over(ctx)) is not None:
        taken += 1
        trace_id.set(edit.edit_id.hex)
        try:
            edit, _ = await drive(ctx, edit, inline=False)
        except LostLease:
            continue
        log.info("took over an edit", edit=str(edit.edit_id), point=edit.point, attempts=edit.attempts)
    return taken


async def _stage(ctx: Context, tx: Tx, actor: Actor, order_id: UUID, request: StageEdit, *, reader: Reader) -> EditBody:
    order = await editable(tx, actor, order_id)
    _require_free(order)
    address = await _address(tx, actor, request)
    to = place_of(order.head.shipping_address) if address is None else address.place
    offers = await sold_now(tx, variants_of(order, request))
    for offer in offers.values():
        offer.title = offer.title_for(reader)[0]
    today = Today(
        offers=offers,
        paths=await paths_of(tx, sorted({offer.product_id for offer in offers.values()})),
        origins=await origins_in(tx, next((offer.edition for offer in offers.values()), None)),
        address=address,
        occasion=await _occasion(tx, order, Occasion.of(ctx.settings, clock.now(), place=to, member=actor.member)),
    )
    plan = plan_edit(order, request, today)
    delta = plan.due_after - plan.due_before
    added = plan.total - order.head.total
    edit = statements.NewEdit(
        edit_id=new_id(),
        order_id=order_id,
        version=order.version,
        plan=plan.model_dump_json(),
        added=added,
        cancelled=added - delta,
        charged=max(delta, ZERO),
        refunded=max(-delta, ZERO),
    )
    part = statements.stage_part(edit, actor, ctx.settings.order_edit_seconds)
    await tx.execute(*compose([part], statements.STAGED_UNTIL))
    return _body(await edit_of(tx, actor, (order_id, edit.edit_id)))


async def _occasion(tx: Tx, order: Editable, occasion: Occasion) -> Occasion:
    """A promotion that paid the fee of the order pays it still."""
    name = await pays_fee_of(tx, order.order_id) if order.redemptions else None
    return occasion if name is None else replace(occasion, tariff=occasion.tariff.free_with(name))


def _require_free(order: Editable) -> None:
    """Raises: Forbidden, OrderBeingEdited, StillBeingPlaced."""
    if not order.head.is_buyer:
        raise Forbidden("Only the buyer may change an order.")
    if order.head.edited_by is not None:
        raise OrderBeingEdited
    if order.status == "pending" or order.head.payment_status == "authorised":
        raise StillBeingPlaced


async def _address(tx: Tx, actor: Actor, request: StageEdit) -> Checked | None:
    """The new address. Raises: AddressUnknown, AddressNotValid."""
    given = request.shipping_address
    if given is None:
        return None
    if not isinstance(given, SavedAddress):
        return checked_address(given, None)
    try:
        saved = await address_of(tx, actor, given.address_id)
    except AddressNotFound:
        return checked_address(given, None)
    told = {"street": saved.street, "city": saved.city, "state": saved.state, "zipCode": saved.zip_code}
    return checked_address(given, {**told, "country": saved.country})


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request to commit an edit, `place` (order, edit)."""

    ctx: Context
    actor: Actor
    key: RequestKey
    place: tuple[UUID, UUID]
    request: CommitEdit


async def _begun(asked: _Asked) -> Response | LeasedEdit:
    """The answer of an edit that is done or was asked for before, or the edit whose payment has begun."""
    settings = asked.ctx.settings
    seconds = settings.checkout_deadline_seconds + settings.checkout_lease_seconds

    async def work(tx: Tx) -> Response | LeasedEdit:
        claimed = await tx.first(*compose([claim_part(asked.key, seconds)], "1 FROM claim"))
        if claimed is None:
            known = await find(tx, asked.key)
            if known is None:
                raise RequestInFlight
            return known.response(replayed=True)
        return await _begin(tx, asked)

    try:
        return await asked.ctx.db.run(work)
    except psycopg.Error as error:
        if error.sqlstate == LOCK_TIMEOUT:
            raise RequestInFlight from error
        raise


async def _begin(tx: Tx, asked: _Asked) -> Response | LeasedEdit:
    order = await editable(tx, asked.actor, asked.place[0], lock=True)
    _require_free(order)
    edit = await edit_of(tx, asked.actor, asked.place, lock=True)
    plan = EditPlan.model_validate(edit.plan)
    _require_open(order, edit, plan, asked.request)
    if not edit.charged:
        await _take_stock(asked.ctx, tx, edit, plan)
        done = [statements.done_part(edit.edit_id, asked.key.key)]
        free = _Free(edit.edit_id, asked.actor, asked.key.key, plan)
        return (await complete(tx, order, free, done)).response()
    method = asked.request.payment_method
    if method is None:
        error = FieldError(pointer="/paymentMethod", message=f"needed: the edit costs {edit.charged} more")
        raise ValidationFailed("Send the payment method that pays the difference.", errors=[error])
    return await _open_payment(tx, asked, edit, plan, method)


def _require_open(order: Editable, edit: StoredEdit, plan: EditPlan, request: CommitEdit) -> None:
    """Raises: EditOver, OrderChanged, TotalChanged."""
    if edit.point != "staged" or edit.expired:
        told = "expired" if edit.point == "staged" else edit.point
        raise EditOver("Look at the order, and stage another edit if it is not as you want it.", extra={"point": told})
    if edit.version != order.version:
        raise OrderChanged
    if request.expected_total != plan.due_after:
        raise TotalChanged("Look at the edit again.", plan.due_after)


async def _open_payment(tx: Tx, asked: _Asked, edit: StoredEdit, plan: EditPlan, method: PaymentMethod) -> LeasedEdit:
    settings, key = asked.ctx.settings, asked.key.key
    leased = LeasedEdit(
        edit_id=edit.edit_id,
        order_id=edit.order_id,
        token=new_id(),
        point="created",
        actor=asked.actor,
        key=key,
        plan=plan,
        payment_id=new_id(),
        gateway=settings.payment_gateway,
        payment_token=method.token,
        amount=edit.charged,
        age=0.0,
        attempts=1,
    )
    begun = statements.BegunEdit(
        edit_id=edit.edit_id,
        order_id=edit.order_id,
        key=key,
        payment_id=leased.payment_id,
        gateway=leased.gateway,
        token=method.token,
        lease=leased.token,
        lease_seconds=settings.checkout_lease_seconds,
    )
    payment = NewPayment(
        payment_id=leased.payment_id,
        order_id=edit.order_id,
        checkout_id=edit.edit_id,
        gateway=leased.gateway,
        gateway_key=statements.payment_key(edit.edit_id),
        method_type=method.type,
        amount=edit.charged,
        currency=plan.currency,
    )
    await _hold(asked.ctx, tx, edit, plan, [statements.begin_part(begun), open_part([payment])])
    return leased


async def _take_stock(ctx: Context, tx: Tx, edit: StoredEdit, plan: EditPlan) -> None:
    """Sell the new units of an edit that has nothing to charge. Raises: OutOfStock."""
    units = _held(plan)
    if not units:
        return
    await _hold(ctx, tx, edit, plan, [])
    check = stock.confirm_check({edit.edit_id: len(units)})
    await tx.execute(*compose([check, statements.named(edit.edit_id, edit.order_id), stock.confirm()], "1"))


async def _hold(ctx: Context, tx: Tx, edit: StoredEdit, plan: EditPlan, parts: list[Part]) -> None:
    """Hold the new units, and write `parts` with that. Raises: OutOfStock."""
    units = _held(plan)
    payload = {"checkoutId": edit.edit_id, "orderId": edit.order_id}
    held = events_part([Event("checkout", edit.edit_id, "StockReserved", payload, edit.edit_id)])
    if units:
        gate = statements.if_in_stock(edit.edit_id, edit.order_id)
        taken = [stock.hold_check([(edit.edit_id, units)]), gate, stock.hold(ctx.settings.reservation_seconds), held]
    else:
        taken = [statements.named(edit.edit_id, edit.order_id)]
    if await tx.first(*compose([*taken, *parts], statements.PASSES)) is None:
        raise OutOfStock("Others have bought the units meanwhile; stage the edit again to see what is left.")


def _held(plan: EditPlan) -> list[stock.Held]:
    return [
        stock.Held(line.variant_id, line.warehouse_id, line.quantity)
        for line in plan.bought
        if line.warehouse_id is not None
    ]


def _pending(retry_after: int = 2) -> EditPending:
    return EditPending("Ask again with the same Idempotency-Key.", retry_after=retry_after)


def _body(edit: StoredEdit) -> EditBody:
    plan = EditPlan.model_validate(edit.plan)
    return EditBody.model_validate(
        {
            "edit_id": edit.edit_id,
            "order_id": edit.order_id,
            "status": _STATUS.get(edit.point, "paying"),
            "currency": plan.currency,
            "old_total": plan.due_before,
            "new_total": plan.due_after,
            "delta": plan.due_after - plan.due_before,
            "subtotal": plan.subtotal,
            "tax": plan.tax,
            "shipping": plan.shipping,
            "discount": plan.discount,
            "changes": [
                ChangeBody(kind=one.kind, text=one.text, quantity=one.quantity, amount=one.amount)
                for one in plan.changes
            ],
            "shipping_address": plan.address,
            "estimated_delivery": plan.estimated_delivery,
            "expires_at": edit.expires_at,
        }
    )
