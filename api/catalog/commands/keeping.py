"""Keeps the versions of products: every change of one goes through `keep_versions`, in the transaction that makes it.
So does every change of what a variant costs, and of which article a product is: another one of its GTINs may be the
lowest. Products of other sellers that share a GTIN and are another article are queued to be matched.

A version is read from the tables when all is written, so it says what the product is, whichever command wrote it. A
product that was loaded, or is older than versions, gets its first one with its first change: one of each in a shop of
millions would double the catalog for products that may never change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from api.catalog.commands.statements import KEEP_FIRST_VERSIONS, KEEP_VERSIONS
from api.kernel.actor import Actor
from api.kernel.db import Query, Tx, done
from api.kernel.outbox import Event, events_part
from api.kernel.statement import OPEN_GATE, compose

AuthorKind = Literal["seller", "admin", "service", "schedule"]
Action = Literal["known", "created", "changed", "restored", "deleted"]


@dataclass(frozen=True, slots=True)
class Change:
    """What a change does, and whose it is: an account's, the shop's own, or that of a schedule which came due."""

    author_kind: AuthorKind
    author_id: UUID | None = None
    action: Action = "changed"
    restored_from: int | None = None

    @staticmethod
    def by(actor: Actor, action: Action = "changed", restored_from: int | None = None) -> "Change":
        """Of the actor who asks for it. Raises: ValueError for one who changes no products."""
        if actor.kind not in {"seller", "admin", "service"}:
            raise ValueError(f"no {actor.kind} changes products")
        kind: Any = actor.kind  # Any: one of AuthorKind, as checked
        return Change(kind, actor.user_id, action, restored_from)


async def keep_versions(tx: Tx, change: Change, product_ids: Sequence[UUID], *events: Event) -> list[UUID]:
    """Keep what the products are now, and emit the events of the change, in one round trip. Returns the products that
    have a new version: those that differ from their newest one in what a version says.

    The caller has locked the products and raised the `version` of each.
    """
    values = {
        "product_ids": list(product_ids),
        "author_kind": change.author_kind,
        "author_id": change.author_id,
        "action": change.action,
        "restored_from": change.restored_from,
    }
    kept = Query(KEEP_VERSIONS, values, lambda result: [row[0] for row in result.rows])
    if not events:
        return await tx.fetch(kept)
    return (await tx.batch(kept, done(*compose([OPEN_GATE, events_part(events)], "1"))))[0]


async def keep_first_versions(tx: Tx, product_ids: Sequence[UUID]) -> None:
    """Keep what those products are that have no version yet, before they are changed; the caller has locked them."""
    await tx.execute(KEEP_FIRST_VERSIONS, {"product_ids": list(product_ids)})
