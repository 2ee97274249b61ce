"""Reads of versions: by the seller of the product, also after it was deleted, and by administrators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, and_, bindparam, or_, select, true

from api.catalog.commands.keeping import Action, AuthorKind
from api.catalog.commands.statements import defaults
from api.catalog.errors import ProductNotFound
from api.catalog.models import Product
from api.catalog.schemas import ProductIn, VariantIn
from api.catalog.versions.models import ProductVersion
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, all_as, first_as

_READABLE = select(Product.version).where(
    Product.product_id == bindparam("product_id", type_=Uuid),
    or_(Product.seller_id == bindparam("viewer", type_=Uuid), bindparam("all", type_=true().type)),
)
_SAID = (
    ProductVersion.version,
    ProductVersion.at,
    ProductVersion.author_kind,
    ProductVersion.author_id,
    ProductVersion.action,
    ProductVersion.restored_from,
    ProductVersion.fields,
)
_OF_PRODUCT = ProductVersion.product_id == bindparam("product_id", type_=Uuid)
_NEWEST_FIRST = (
    select(*_SAID)
    .where(_OF_PRODUCT, ProductVersion.version < bindparam("before", type_=Integer))
    .order_by(ProductVersion.version.desc())
    .limit(bindparam("take", type_=Integer))
)
# The version and the one before it.
_WITH_FORMER = (
    select(*_SAID, ProductVersion.body, ProductVersion.media, ProductVersion.safety)
    .where(and_(_OF_PRODUCT, ProductVersion.version <= bindparam("version", type_=Integer)))
    .order_by(ProductVersion.version.desc())
    .limit(2)
)


@dataclass(frozen=True, slots=True)
class Said:
    """A version without what the product was."""

    version: int
    at: datetime
    author_kind: AuthorKind
    author_id: UUID | None
    action: Action
    restored_from: int | None
    fields: list[str]


@dataclass(frozen=True, slots=True)
class Kept(Said):
    """`body`: less what has its default. `safety`: empty where there was none, None where it is not known."""

    body: dict[str, Any]  # Any: JSON
    media: list[dict[str, Any]]  # Any: JSON
    safety: dict[str, Any] | None  # Any: JSON


@dataclass(frozen=True, slots=True)
class _Readable:
    version: int


async def versions_of(tx: ReadTx, actor: Actor, product_id: UUID, before: int, take: int) -> list[Said]:
    """Up to `take` versions of a product that are older than `before`, the newest first.

    Raises: ProductNotFound, also for another seller's product.
    """
    asked = {**_asked(actor, product_id), "before": before, "take": take}
    readable, found = await tx.batch(first_as(_Readable, _READABLE, asked), all_as(Said, _NEWEST_FIRST, asked))
    if readable is None:
        raise ProductNotFound("You sell no product with this id.")
    return found


async def version_of(tx: ReadTx, actor: Actor, product_id: UUID, version: int) -> tuple[Kept, Kept | None] | None:
    """One version and the one before it; None for a number that is no version's.

    Raises: ProductNotFound, also for another seller's product.
    """
    asked = {**_asked(actor, product_id), "version": version}
    readable, found = await tx.batch(first_as(_Readable, _READABLE, asked), all_as(Kept, _WITH_FORMER, asked))
    if readable is None:
        raise ProductNotFound("You sell no product with this id.")
    if not found or found[0].version != version:
        return None
    return found[0], found[1] if len(found) > 1 else None


def whole(body: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """A kept body with what it left out, as PUT takes it: stock is not said."""
    full = {**defaults(ProductIn), **body}
    unsaid = {"stock", "stockChange"}
    usual = {name: value for name, value in defaults(VariantIn).items() if name not in unsaid}
    return {**full, "variants": [{**usual, **variant} for variant in full["variants"]]}


def _asked(actor: Actor, product_id: UUID) -> dict[str, Any]:  # Any: values of binds
    return {"product_id": product_id, "viewer": actor.user_id, "all": actor.kind == "admin"}
