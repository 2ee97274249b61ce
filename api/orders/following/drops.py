"""Pages that an order puts out of date: its variants have other units to sell than before."""

from collections.abc import Collection, Sequence
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.catalog.offers.queries import products_of
from api.catalog.pages import product_tag
from api.inventory.queries import variants_held_for
from api.kernel.db import ReadTx
from api.kernel.outbox import Drop, Pending
from api.orders.edits.statements import EDITED
from api.orders.models import OrderItem
from api.orders.states import EVENT_OF, RETURN_EVENT_OF

# Held for a checkout, which has no order yet when it has to wait; given back by it.
_HELD = frozenset({"StockReserved", "StockReleased", "StockReturned"})
# The rest are of orders that exist: placed, edited, and restocked, as a whole or some of their units.
_MOVED = frozenset({EVENT_OF["pending"], EDITED, EVENT_OF["cancelled"], RETURN_EVENT_OF["approved"]})

_LINES = (
    select(OrderItem.product_id).where(OrderItem.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid)))).distinct()
)


async def _products(tx: ReadTx, events: Sequence[Pending]) -> Collection[str]:
    held, moved = _orders(events, _HELD), _orders(events, _MOVED)
    changed: set[UUID] = set()
    if held and (variants := await variants_held_for(tx, held)):
        changed |= await products_of(tx, variants)
    if moved:
        changed |= {row[0] for row in await tx.all(_LINES, {"order_ids": list(moved)})}
    return {product_tag(product_id) for product_id in changed}


def _orders(events: Sequence[Pending], types: Collection[str]) -> set[UUID]:
    return {UUID(orjson.loads(event.payload)["orderId"]) for event in events if event.event_type in types}


DROPS: tuple[Drop, ...] = (_products,)
