"""Buy again: what can still be bought of an order goes into the cart, and the rest says why not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from api.carts.commands import add_item
from api.carts.errors import CartFull, QuantityTooLarge
from api.carts.queries import cart_of
from api.carts.schemas import MAX_QUANTITY, AddItem
from api.catalog.errors import VariantNotFound
from api.catalog.queries.offers import Sold, sold_now
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import ReadTx
from api.orders.errors import OrderNotFound
from api.orders.history.schemas import BoughtAgain, LineAgain, WhyNot
from api.orders.kits.bought import kit_of
from api.orders.models import Order, OrderItem
from api.orders.queries.access import IS_BUYER, actor_values
from api.orders.queries.lines import TITLE


@dataclass(frozen=True, slots=True)
class _Line:
    order_item_id: UUID
    variant_id: UUID
    title: str
    quantity: int
    kit: dict[str, Any] | None  # Any: JSON of a KitBought


_LINES = (
    select(OrderItem.order_item_id, OrderItem.variant_id, TITLE, OrderItem.quantity, OrderItem.kit)
    .join(Order, Order.order_id == OrderItem.order_id)
    .where(Order.order_id == bindparam("order_id", type_=Uuid), IS_BUYER)
    .order_by(OrderItem.order_item_id)
)


async def buy_again(ctx: Context, actor: Actor, order_id: UUID) -> BoughtAgain:
    """Bring the cart to at least the units of the order, as far as they can be ordered now, in stock or backordered.
    Repeated, it adds nothing: what the cart holds counts.

    Raises: OrderNotFound for all but the buyer.
    """
    async with ctx.db.read() as tx:
        lines, offers, held = await _found(tx, actor, order_id)
    answers: list[LineAgain] = []
    asked: dict[UUID, int] = {}
    for line in lines:
        # An order may have several lines of one variant, which are one in the cart.
        asked[line.variant_id] = asked.get(line.variant_id, 0) + line.quantity
        answer = await _add(ctx, actor, line, offers.get(line.variant_id), (asked[line.variant_id], held))
        held[line.variant_id] = held.get(line.variant_id, 0) + answer.added
        answers.append(answer)
    return BoughtAgain(items=answers)


async def _found(tx: ReadTx, actor: Actor, order_id: UUID) -> tuple[list[_Line], dict[UUID, Sold], dict[UUID, int]]:
    lines = _whole(await tx.all_as(_Line, _LINES, {"order_id": order_id, **actor_values(actor)}))
    if not lines:
        raise OrderNotFound
    cart = await cart_of(tx, actor)
    held = {line.variant_id: line.quantity for line in cart.lines} if cart else {}
    return lines, await sold_now(tx, {line.variant_id for line in lines}), held


def _whole(lines: Iterable[_Line]) -> list[_Line]:
    """The lines, with each kit instead of those of its components, where the first of them is."""
    found, kits = list[_Line](), set[UUID]()
    for line in lines:
        kit = kit_of(line.kit)
        if kit is None:
            found.append(line)
        elif kit.variant_id not in kits:
            kits.add(kit.variant_id)
            found.append(_Line(line.order_item_id, kit.variant_id, kit.title, kit.quantity, None))
    return found


async def _add(
    ctx: Context, actor: Actor, line: _Line, offer: Sold | None, wanted: tuple[int, dict[UUID, int]]
) -> LineAgain:
    """Add what the cart lacks of a line; `wanted`: the units that it should hold, and what it holds of each variant."""
    units, held = wanted[0], wanted[1].get(line.variant_id, 0)
    if offer is None or not offer.on_sale:
        return _answer(line, 0, "withdrawn")
    if offer.to_be_had == 0:
        return _answer(line, 0, "sold out")
    possible = min(units, offer.to_be_had, MAX_QUANTITY)
    why: WhyNot | None = None if possible == units else "fewer in stock" if offer.to_be_had < units else "too many"
    if possible <= held:
        return _answer(line, 0, why)
    try:
        body = AddItem(product_id=offer.product_id, variant_id=line.variant_id, quantity=possible - held)
        await add_item(ctx, actor, body)
    except VariantNotFound:
        return _answer(line, 0, "withdrawn")
    except CartFull:
        return _answer(line, 0, "cart full")
    except QuantityTooLarge:
        return _answer(line, 0, "too many")
    return _answer(line, possible - held, why)


def _answer(line: _Line, added: int, why: WhyNot | None) -> LineAgain:
    return LineAgain(
        order_item_id=line.order_item_id,
        variant_id=line.variant_id,
        title=line.title,
        quantity=line.quantity,
        added=added,
        reason=why,
    )
