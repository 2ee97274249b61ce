"""The documents that follow from the events of orders: invoices from the first parcel that is shipped and
from what is added afterwards, a credit note from a refund."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.orders.invoices.commands import write_documents
from api.orders.states import PARCEL_EVENT_OF

# An edit changes what an order that was invoiced costs.
_CAUSES = frozenset({PARCEL_EVENT_OF["shipped"], "RefundIssued", "OrderEdited"})


async def _documents(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """In a transaction of its own: numbers and documents are one commit."""
    await write_documents(
        ctx, {UUID(orjson.loads(event.payload)["orderId"]) for event in events if event.event_type in _CAUSES}
    )


DOORS: tuple[Door, ...] = (_documents,)
