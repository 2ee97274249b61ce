"""From a request to a stored checkout: one read and one commit. A request that is refused stores at most its answer."""

from dataclasses import dataclass

from api.checkout.dividing.destinations import read_book
from api.checkout.errors import CartChanging, OutOfStock
from api.checkout.quote import make_plan, read_codes, read_quote
from api.checkout.saga.activity import keep_stock
from api.checkout.saga.commits import Passed, open_checkout
from api.checkout.saga.lease import LeasedCheckout
from api.checkout.saga.steps import Opening, refusal
from api.checkout.schemas import PlaceOrder, Plan
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.idempotency import ANSWERED, KeptKey, RequestInFlight, RequestKey, Stored, find, keep_part
from api.kernel.ids import new_id
from api.kernel.statement import compose

# How often a request is planned when others buy the last units meanwhile, and when its cart changes meanwhile.
PLAN_ATTEMPTS, CART_ATTEMPTS = 5, 12


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that starts no checkout has its answer: it is refused, or it is a repeat (`replayed`)."""

    stored: Stored
    replayed: bool


async def begin(
    ctx: Context, actor: Actor, key: RequestKey, request: PlaceOrder, language: str | None = None
) -> LeasedCheckout | Answered:
    """Start the checkout of a new request: stock held, cart claimed, order pending, payment opened. The order keeps its
    titles in the `language` for good.

    Raises: IdempotencyKeyReused, RequestInFlight, and the problems of a request that may be sent again with its key.
    """
    for _ in range(PLAN_ATTEMPTS if request.items else CART_ATTEMPTS):
        quote = await read_quote(ctx, actor, key, request, language)
        if quote.kept is not None:
            return await _replayed(ctx, actor, key, quote.kept)
        codes = await read_codes(ctx, actor, request, quote)
        try:
            book = await read_book(ctx, actor, request)
            plan = make_plan(ctx.settings, actor, request, quote, book=book, codes=codes)
        except Problem as problem:
            return await _refuse(ctx, key, problem)
        checkout = _new(actor, key, request, plan)
        failpoints.hit("checkout.before_create")
        passed = await open_checkout(ctx, Opening(checkout, key))
        if passed is Passed.MOVED:
            failpoints.hit("checkout.after_create")
            return checkout
        if passed is Passed.TAKEN:
            return await _known(ctx, key)
        # Sold, redeemed, or the cart was changed or claimed in between: the next quote says what is left.
    if request.items is None:
        raise CartChanging("Look at the cart again, and order it when it stays as it is.")
    crowded = OutOfStock("Others are buying the last units right now; look again in a moment.")
    return await _refuse(ctx, key, crowded)


def _new(actor: Actor, key: RequestKey, request: PlaceOrder, plan: Plan) -> LeasedCheckout:
    return LeasedCheckout(new_id(), new_id(), "created", actor, key.key, request, plan, age=0.0, attempts=1)


async def _replayed(ctx: Context, actor: Actor, key: RequestKey, kept: KeptKey) -> Answered:
    """The answer of the first request. While there is none, its buyer still waits for it.

    Raises: IdempotencyKeyReused, RequestInFlight.
    """
    try:
        return Answered(kept.answer(key), replayed=True)
    except RequestInFlight:
        await keep_stock(ctx, actor, key.key)
        raise


async def _refuse(ctx: Context, key: RequestKey, problem: Problem) -> Answered:
    """Store a definite refusal with the key, in one commit. Raises: `problem`, when a repeat may end otherwise."""
    stored = refusal(problem)
    if stored is None:
        raise problem
    statement, values = compose([keep_part(key, stored)], ANSWERED)
    first = await ctx.db.run_alone(lambda tx: tx.scalar(statement, values))
    return Answered(stored, replayed=False) if first else await _known(ctx, key)


async def _known(ctx: Context, key: RequestKey) -> Answered:
    """The answer of the request that had the key first. Raises: IdempotencyKeyReused, RequestInFlight."""
    async with ctx.db.read() as tx:
        stored = await find(tx, key)
    if stored is None:
        raise RequestInFlight
    return Answered(stored, replayed=True)
