"""Documents as PDF, for those who may have them."""

import asyncio
from uuid import UUID

from sqlalchemy import insert

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.orders.invoices.content import digest_of
from api.orders.invoices.paper import draw
from api.orders.invoices.queries import Document, document_of
from api.orders.models import BuyerDataAccess
from api.orders.queries.privacy import OF_INVOICE, audited


async def pdf_of(ctx: Context, actor: Actor, place: tuple[UUID, str], reason: str | None) -> bytes:
    """One document, `place` (order, number). An administrator who says why sees the buyer's data too, which is written
    down first.

    Raises: InvoiceNotFound.
    """
    if reason is None or actor.kind != "admin":
        async with ctx.db.read() as read:
            document = await document_of(read, actor, *place)
    else:
        document = await ctx.db.run(lambda tx: _audited(tx, actor, place, reason))
    if digest_of(document.content, document.template) != document.digest:
        raise AssertionError(f"document {place[1]} of order {place[0]} is not what was written")
    # Drawing takes milliseconds of the processor, which keep no other request waiting.
    return await asyncio.to_thread(draw, document.content, document.template, with_buyer=document.with_buyer)


async def _audited(tx: Tx, actor: Actor, place: tuple[UUID, str], reason: str) -> Document:
    document = await document_of(tx, actor, *place, reason)
    values = {
        "access_id": new_id(),
        "actor_id": actor.user_id,
        "actor_kind": actor.kind,
        "order_id": document.order_id,
        "fields": list(audited("admin", OF_INVOICE)),
        "reason": reason,
    }
    await tx.execute(insert(BuyerDataAccess).values(values))
    return document
