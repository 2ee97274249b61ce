"""The mail to a seller whose product an administrator has approved, rejected or removed."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from api.catalog.approval.commands import DECIDED
from api.catalog.approval.queries import told_of
from api.identity.queries import emails_of
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail


async def _decided_products(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    decided = {
        UUID(orjson.loads(event.payload)["decisionId"]): event for event in events if event.event_type == DECIDED
    }
    if not decided:
        return
    told = await told_of(tx, decided)
    emails = await emails_of(tx, {one.seller_id for one in told})
    await mail.queue(
        tx,
        [
            mail.NewMail(
                decided[one.decision_id].event_id,
                f"product-{one.decision}",
                emails[one.seller_id],
                {"title": one.title, "reason": one.reason},
            )
            for one in told
            if one.seller_id in emails
        ],
    )


DOORS: tuple[Door, ...] = (_decided_products,)
