"""What makes two products the same thing: title, brand and options, whatever their case, width, spaces and marks.

A seller has each thing once in each condition; a unique index decides. The same thing of another seller is an offer of
it, which waits to be confirmed in `offer_matches`.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar
from uuid import UUID

import orjson
from psycopg.errors import UniqueViolation

from api.catalog.commands.matching import Attributes
from api.catalog.errors import DuplicateProduct, SkuTaken
from api.catalog.statements import IDENTIFY, MOST_MATCHES
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.texts import plain

ATTEMPTS = 3
T = TypeVar("T")


def identity_of(title: str, brand: str | None, options: Iterable[Attributes]) -> str:
    """32 hexadecimal digits, equal for the same thing. `options`: the attributes of each variant."""
    kinds = sorted(sorted((plain(name), plain(str(value))) for name, value in one.items()) for one in options)
    return hashlib.sha256(orjson.dumps([plain(title), plain(brand or ""), kinds])).hexdigest()[:32]


async def identify(tx: Tx, actor: Actor, product_id: UUID, identity: str) -> None:
    """Say what the actor's product is, and queue the other sellers' products that are the same thing, the oldest first.

    Raises: DuplicateProduct when the actor has another one that is, in the same condition.
    """
    asked = {"product_id": product_id, "seller_id": actor.user_id, "identity": identity, "most": MOST_MATCHES}
    try:
        known: UUID | None = await tx.scalar(IDENTIFY, asked)
    except UniqueViolation:
        raise DuplicateProduct("You made the same product at the same moment.") from None
    if known is not None:
        raise DuplicateProduct(
            "You sell a product with this title, brand, options and condition; change it, or say what is different.",
            extra={"productId": str(known), "link": f"/api/v1/products/{known}"},
        )


async def saved(ctx: Context, work: Callable[[Tx], Awaitable[T]]) -> T:
    """Run a save, and again when another one got the same SKU or made the same thing at the same moment: now that one
    is there to be named."""
    for _ in range(ATTEMPTS):
        try:
            return await ctx.db.run(work)
        except (SkuTaken, DuplicateProduct) as refusal:
            if refusal.extra:
                raise
    return await ctx.db.run(work)
