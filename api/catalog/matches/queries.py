"""Reads of offer matches, for administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Integer,
    Uuid,
    all_,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import aliased

from api.catalog.matches.errors import MatchNotFound
from api.catalog.matches.models import MatchDecision, OfferMatch
from api.catalog.matches.schemas import MatchDecisionBody, MatchedProduct, MatchState, OfferMatchBody, Verdict
from api.catalog.models import Product, ProductVariant
from api.catalog.queries.listing import IMAGES
from api.catalog.schemas import Condition, Status
from api.catalog.statements import same_article
from api.kernel.actor import Actor, require_administrator
from api.kernel.db import ReadTx, all_as
from api.kernel.pagination import PageParams

UNKNOWN = "There is no match of these two products."


class Pair(NamedTuple):
    """The products of a match."""

    product_id: UUID
    other_product_id: UUID


@dataclass(frozen=True, slots=True)
class _Match:
    """A row of `offer_matches`."""

    product_id: UUID
    other_product_id: UUID
    decision: Verdict | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Product:
    """One of the two products."""

    product_id: UUID
    seller_id: UUID
    title: str
    brand: str | None
    condition: Condition
    price: Decimal
    currency: str
    status: Status
    gtins: list[str]
    images: list[str]


@dataclass(frozen=True, slots=True)
class _Decision:
    """A row of `match_decisions`."""

    product_id: UUID
    other_product_id: UUID
    decision: Literal["confirmed", "dismissed", "undone"]
    decided_by: UUID
    reason: str | None
    created_at: datetime


_ONE, _OTHER = aliased(Product, name="one"), aliased(Product, name="other")
_PLACE = tuple_(OfferMatch.created_at, OfferMatch.product_id, OfferMatch.other_product_id)
_MATCHES = (
    select(OfferMatch.product_id, OfferMatch.other_product_id, OfferMatch.decision, OfferMatch.created_at)
    .select_from(OfferMatch)
    .join(_ONE, _ONE.product_id == OfferMatch.product_id)
    .join(_OTHER, _OTHER.product_id == OfferMatch.other_product_id)
    .order_by(OfferMatch.created_at, OfferMatch.product_id, OfferMatch.other_product_id)
)
# Not those that are one article already, by their GTIN or by other matches: there is nothing to decide.
_OPEN = and_(
    OfferMatch.decision.is_(None),
    _ONE.deleted_at.is_(None),
    _OTHER.deleted_at.is_(None),
    func.coalesce(_OTHER.article_id != all_(literal_column(same_article("one.article_id"), ARRAY(Uuid))), true()),
)
_AFTER = (
    tuple_(
        bindparam("after_time", type_=DateTime(timezone=True)),
        bindparam("after_id", type_=Uuid),
        bindparam("after_other_id", type_=Uuid),
    )
    < _PLACE
)
_GTINS = func.array(
    select(ProductVariant.gtin)
    .where(
        ProductVariant.product_id == Product.product_id,
        ProductVariant.removed_at.is_(None),
        ProductVariant.gtin.is_not(None),
    )
    .order_by(ProductVariant.gtin)
    .scalar_subquery()
)
_IDS = any_(bindparam("ids", type_=ARRAY(Uuid)))
_PRODUCTS = select(
    Product.product_id,
    Product.seller_id,
    Product.title,
    Product.brand,
    Product.condition,
    Product.base_price.label("price"),
    Product.currency,
    Product.status,
    _GTINS.label("gtins"),
    IMAGES.label("images"),
).where(Product.product_id == _IDS)
_DECISIONS = (
    select(
        MatchDecision.product_id,
        MatchDecision.other_product_id,
        MatchDecision.decision,
        MatchDecision.decided_by,
        MatchDecision.reason,
        MatchDecision.created_at,
    )
    .where(MatchDecision.product_id == _IDS, MatchDecision.other_product_id == _IDS)
    .order_by(MatchDecision.decision_id.desc())
)


async def matches(
    tx: ReadTx, actor: Actor, state: MatchState, page: PageParams, after: tuple[datetime, UUID, UUID] | None
) -> tuple[list[OfferMatchBody], bool]:
    """The oldest matches in a state, and whether there are more. Raises: Forbidden."""
    require_administrator(actor)
    wanted = _OPEN if state == "open" else OfferMatch.decision == state
    statement = _MATCHES.where(wanted).limit(bindparam("take", type_=Integer))
    asked: dict[str, object] = {"take": page.limit + 1}
    if after is not None:
        statement = statement.where(_AFTER)
        asked |= {"after_time": after[0], "after_id": after[1], "after_other_id": after[2]}
    rows = await tx.all_as(_Match, statement, asked)
    return await _bodies(tx, rows[: page.limit]), len(rows) > page.limit


async def match_of(tx: ReadTx, actor: Actor, pair: Pair) -> OfferMatchBody:
    """Raises: Forbidden; MatchNotFound."""
    require_administrator(actor)
    of_pair = (OfferMatch.product_id == pair.product_id, OfferMatch.other_product_id == pair.other_product_id)
    rows = await tx.all_as(_Match, _MATCHES.where(*of_pair))
    if not rows:
        raise MatchNotFound(UNKNOWN)
    return (await _bodies(tx, rows))[0]


async def _bodies(tx: ReadTx, rows: Sequence[_Match]) -> list[OfferMatchBody]:
    asked = {"ids": [one for row in rows for one in (row.product_id, row.other_product_id)]}
    products, decisions = await tx.batch(all_as(_Product, _PRODUCTS, asked), all_as(_Decision, _DECISIONS, asked))
    sides = {one.product_id: _side(one) for one in products}
    return [
        OfferMatchBody(
            product=sides[row.product_id],
            other_product=sides[row.other_product_id],
            state=row.decision or "open",
            decisions=[
                MatchDecisionBody(
                    decision=one.decision, decided_by=one.decided_by, reason=one.reason, created_at=one.created_at
                )
                for one in decisions
                if (one.product_id, one.other_product_id) == (row.product_id, row.other_product_id)
            ],
            created_at=row.created_at,
        )
        for row in rows
    ]


def _side(one: _Product) -> MatchedProduct:
    return MatchedProduct(
        product_id=one.product_id,
        seller_id=one.seller_id,
        title=one.title,
        brand=one.brand,
        condition=one.condition,
        price=one.price,
        currency=one.currency,
        status=one.status,
        gtins=one.gtins,
        images=one.images,
    )
