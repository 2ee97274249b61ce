"""The mail that says that the label of a return is ready: to its buyer, with a link that prints it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, select

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.orders.labels.commands import LABEL_BOUGHT
from api.orders.models import Order, OrderItem, Return
from api.orders.queries.lines import TITLE
from api.orders.queries.told import buyers_emails
from api.orders.returns.policy import rma_number


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A return whose label is there."""

    return_id: UUID
    quantity: int
    title: str
    order_number: str
    user_id: UUID | None
    guest_email: str | None


_LABELLED = (
    select(
        Return.return_id,
        Return.quantity,
        func.coalesce(TITLE, "").label("title"),
        Order.order_number,
        Order.user_id,
        Order.guest_email,
    )
    .join(OrderItem, OrderItem.order_item_id == Return.order_item_id)
    .join(Order, Order.order_id == Return.order_id)
    .where(Return.return_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


async def _labels(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    bought = ((event, orjson.loads(event.payload)) for event in events if event.event_type == LABEL_BOUGHT)
    told = {UUID(label["returnId"]): (event, label) for event, label in bought if "returnId" in label}
    if not told:
        return
    returns = await tx.all_as(_Labelled, _LABELLED, {"ids": list(told)})
    mails = []
    for one, buyer in zip(returns, await buyers_emails(tx, returns), strict=True):
        event, label = told[one.return_id]
        data = {
            "number": one.order_number,
            "rma": rma_number(one.return_id),
            "carrier": label["carrier"],
            "lines": [{"quantity": one.quantity, "title": one.title}],
            # The rest of the link is the token: whoever has it prints the label.
            "labels": f"{ctx.settings.api_url.rstrip('/')}/api/v1/return-labels/",
        }
        if buyer is not None:
            mails.append(mail.NewMail(event.event_id, "return-label", buyer, data, one.return_id))
    await mail.queue(tx, mails)


DOORS: tuple[Door, ...] = (_labels,)
