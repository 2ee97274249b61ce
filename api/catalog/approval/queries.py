"""Reads of what waits for a decision, and of what was decided. Administrators read all, sellers what is theirs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Select, Uuid, any_, bindparam, case, exists, or_, select, true, tuple_
from sqlalchemy.orm import aliased

from api.catalog.approval.models import ProductDecision, QueuedProduct
from api.catalog.approval.rules import COMPARED_AT_MOST, Facts
from api.catalog.approval.schemas import Decided, Decision, FindingBody, Waiting
from api.catalog.approval.statements import FACTS
from api.catalog.errors import ProductNotFound
from api.catalog.languages.schemas import Stored
from api.catalog.models import Category, Product, ProductImage
from api.catalog.queries.listing import IMAGES
from api.catalog.schemas import Status
from api.kernel import clock
from api.kernel.actor import Actor, require_administrator
from api.kernel.db import ReadTx, first_as
from api.kernel.pagination import PageParams
from api.media.queries import alike
from api.sellers.queries import Standing, standing_of

Json = dict[str, Any]  # Any: JSON
_NEWEST_REASON = (
    select(ProductDecision.reason)
    .where(ProductDecision.product_id == Product.product_id)
    .order_by(ProductDecision.decision_id.desc())
    .limit(1)
    .scalar_subquery()
)
# Why a product is held back, as a column of a statement on `products`; null for one that is not.
STATUS_REASON = case((or_(Product.status == "pending_review", Product.status == "rejected"), _NEWEST_REASON)).label(
    "status_reason"
)
# An order may show such a product, whatever it is now.
WAS_APPROVED = exists().where(ProductDecision.product_id == Product.product_id, ProductDecision.decision == "approved")
_STANDING = standing_of(
    select(Product.seller_id).where(Product.product_id == bindparam("product_id", type_=Uuid)).scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class _Product:
    """A row of FACTS. `decided`: decision and findings of the newest decision. `ruled`: an administrator's newest, and
    `approved` the findings that the last approval of one named."""

    seller_id: UUID
    title: str
    brand: str | None
    description: str | None
    specifications: dict[str, object]
    translations: Stored | None
    category_path: str
    lowest: Decimal
    highest: Decimal
    options: list[dict[str, object]]
    usual: Decimal | None
    compared: int
    pictures: int
    same_thing: bool
    other_brand: bool
    decided: list[Any] | None  # Any: JSON
    ruled: Decided | None
    approved: list[Json] | None


@dataclass(frozen=True, slots=True)
class _Borrowed:
    """A product of another seller that shows one of its pictures for another thing."""

    product_id: UUID


@dataclass(frozen=True, slots=True)
class Case:
    """A product that is to be judged. `approved`: rule and subject of what an administrator approved of it last.
    `decided`: its newest decision with the findings as they are stored."""

    seller_id: UUID
    facts: Facts
    approved: frozenset[tuple[str, str]]
    decided: tuple[Decided, list[Json]] | None


@dataclass(frozen=True, slots=True)
class _Decision:
    """A row of `product_decisions`."""

    decision_id: UUID
    product_id: UUID
    version: int
    decision: Decided
    decided_by: UUID | None
    reason: str | None
    score: int
    findings: list[Json]
    created_at: datetime

    def body(self) -> Decision:
        return Decision(
            decision_id=self.decision_id,
            product_id=self.product_id,
            version=self.version,
            decision=self.decision,
            by_administrator=self.decided_by is not None,
            reason=self.reason,
            score=self.score,
            findings=bodies_of(self.findings),
            created_at=self.created_at,
        )


@dataclass(frozen=True, slots=True)
class Told:
    """A decision as its seller hears of it."""

    decision_id: UUID
    decision: Decided
    reason: str | None
    product_id: UUID
    seller_id: UUID
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """What a product is called, and where it stands; also of a deleted one."""

    product_id: UUID
    seller_id: UUID
    title: str
    version: int
    status: Status


@dataclass(frozen=True, slots=True)
class Ruling:
    """An administrator's decision; `own`: of the one who asks."""

    body: Decision
    own: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A queued product as it would be sold."""

    product_id: UUID
    version: int
    seller_id: UUID
    title: str
    brand: str | None
    description: str | None
    category: str
    price: Decimal
    currency: str
    images: list[str]
    specifications: dict[str, object]
    score: int
    findings: list[Json]
    queued_at: datetime


_DECISION = (
    ProductDecision.decision_id,
    ProductDecision.product_id,
    ProductDecision.version,
    ProductDecision.decision,
    ProductDecision.decided_by,
    ProductDecision.reason,
    ProductDecision.score,
    ProductDecision.findings,
    ProductDecision.created_at,
)
DECISIONS = select(*_DECISION).where(ProductDecision.product_id == bindparam("product_id", type_=Uuid))
_TOLD = (
    select(
        ProductDecision.decision_id,
        ProductDecision.decision,
        ProductDecision.reason,
        Product.product_id,
        Product.seller_id,
        Product.title,
    )
    .join(Product, Product.product_id == ProductDecision.product_id)
    .where(ProductDecision.decision_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)
_LABELS = select(Product.product_id, Product.seller_id, Product.title, Product.version, Product.status).where(
    Product.product_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)
_PLACE = tuple_(QueuedProduct.queued_at, QueuedProduct.product_id)
_QUEUE = (
    select(
        Product.product_id,
        Product.version,
        Product.seller_id,
        Product.title,
        Product.brand,
        Product.description,
        Category.path.label("category"),
        Product.base_price.label("price"),
        Product.currency,
        IMAGES.label("images"),
        Product.specifications,
        QueuedProduct.score,
        QueuedProduct.findings,
        QueuedProduct.queued_at,
    )
    .join(Product, Product.product_id == QueuedProduct.product_id)
    .join(Category, Category.category_id == Product.category_id)
    .where(~QueuedProduct.unverified)
    .order_by(QueuedProduct.queued_at, QueuedProduct.product_id)
    .limit(bindparam("take", type_=Integer))
)
_QUEUE_AFTER = _QUEUE.where(
    tuple_(bindparam("after_time", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid)) < _PLACE
)


def _borrowed() -> Select[tuple[UUID]]:
    own, other = aliased(Product), aliased(Product)
    image, shown = aliased(ProductImage), aliased(ProductImage)
    pictures = alike(image.picture)
    return (
        select(other.product_id)
        .select_from(own)
        .join(image, image.product_id == own.product_id)
        .join(pictures, true())
        .join(shown, shown.picture == pictures.c.name)
        .join(other, other.product_id == shown.product_id)
        .where(
            own.product_id == bindparam("product_id", type_=Uuid),
            other.deleted_at.is_(None),
            other.seller_id != own.seller_id,
            other.identity.is_distinct_from(own.identity),
        )
        .limit(1)
    )


BORROWED = _borrowed()


async def case_of(tx: ReadTx, product_id: UUID) -> Case:
    """What is known of a product as its rows say now. Raises: ProductNotFound."""
    asked = {"product_id": product_id, "compared": COMPARED_AT_MOST}
    named = {"product_id": product_id}
    row, standing, borrowed = await tx.batch(
        first_as(_Product, FACTS, asked), first_as(Standing, _STANDING, named), first_as(_Borrowed, BORROWED, named)
    )
    if row is None:
        raise ProductNotFound("There is no product with this id.")
    facts = Facts(
        verified=standing is not None and standing.verified,
        store_age=clock.now() - (standing.opened_at if standing else clock.now()),
        text="\n".join(_texts(row)),
        category_path=row.category_path,
        lowest=row.lowest,
        highest=row.highest,
        usual=row.usual,
        compared=row.compared,
        pictures=row.pictures,
        same_thing=row.same_thing,
        same_picture=borrowed is not None,
        other_brand=row.other_brand,
        refused=row.ruled in ("rejected", "removed"),
    )
    # An approval that was followed by a refusal counts no more: it may have approved that there was one before.
    approved = frozenset((one["rule"], one["about"]) for one in row.approved or () if not facts.refused)
    return Case(row.seller_id, facts, approved, None if row.decided is None else (row.decided[0], row.decided[1]))


async def told_of(tx: ReadTx, decision_ids: Iterable[UUID]) -> list[Told]:
    """What sellers are told of decisions, for the mail that the worker sends them."""
    return await tx.all_as(Told, _TOLD, {"ids": list(decision_ids)})


async def labels_of(tx: ReadTx, product_ids: Iterable[UUID]) -> dict[UUID, Label]:
    """Products by id, deleted ones too, for those who read what was reported or decided about them."""
    rows = await tx.all_as(Label, _LABELS, {"ids": list(product_ids)})
    return {row.product_id: row for row in rows}


async def waiting(
    tx: ReadTx, actor: Actor, page: PageParams, after: tuple[datetime, UUID] | None
) -> tuple[list[Waiting], bool]:
    """What waits for an administrator, the oldest first, and whether more does. Raises: Forbidden."""
    require_administrator(actor)
    asked: dict[str, object] = {"take": page.limit + 1}
    if after is not None:
        asked |= {"after_time": after[0], "after_id": after[1]}
    rows = await tx.all_as(_Waiting, _QUEUE if after is None else _QUEUE_AFTER, asked)
    return [_waiting(row) for row in rows[: page.limit]], len(rows) > page.limit


async def decisions_of(
    tx: ReadTx, actor: Actor, product_id: UUID, page: PageParams, before: UUID | None
) -> tuple[list[Decision], bool]:
    """What was decided about a product, the newest first, and whether there is more: for administrators, and for its
    seller. Raises: ProductNotFound."""
    theirs = [] if actor.kind == "admin" else [Product.seller_id == actor.user_id, Product.deleted_at.is_(None)]
    if await tx.first(select(Product.product_id).where(Product.product_id == product_id, *theirs)) is None:
        raise ProductNotFound("You sell no product with this id.")
    statement = DECISIONS.order_by(ProductDecision.decision_id.desc()).limit(page.limit + 1)
    if before is not None:
        statement = statement.where(ProductDecision.decision_id < before)
    rows = await tx.all_as(_Decision, statement, {"product_id": product_id})
    return [row.body() for row in rows[: page.limit]], len(rows) > page.limit


async def ruling_of(tx: ReadTx, actor: Actor, product_id: UUID, version: int) -> Ruling | None:
    """What an administrator decided about a version. Raises: Forbidden."""
    require_administrator(actor)
    of_version = (ProductDecision.version == version, ProductDecision.decided_by.is_not(None))
    row = await tx.first_as(_Decision, DECISIONS.where(*of_version), {"product_id": product_id})
    return None if row is None else Ruling(row.body(), row.decided_by == actor.user_id)


def bodies_of(findings: Sequence[Mapping[str, Any]]) -> list[FindingBody]:  # Any: JSON
    return [FindingBody(rule=one["rule"], score=one["score"], words=one["words"]) for one in findings]


def _waiting(row: _Waiting) -> Waiting:
    return Waiting(
        product_id=row.product_id,
        version=row.version,
        seller_id=row.seller_id,
        title=row.title,
        brand=row.brand,
        description=row.description,
        category=row.category,
        price=row.price,
        currency=row.currency,
        images=row.images,
        specifications=row.specifications,
        score=row.score,
        findings=bodies_of(row.findings),
        queued_at=row.queued_at,
    )


def _texts(row: _Product) -> Iterator[str]:
    """All that a seller says of a product, each text on lines of its own."""
    yield from (row.title, row.brand or "", row.description or "")
    for translation in (row.translations or {}).values():
        yield from (translation.get("title", ""), translation.get("description", ""))
        yield from (*translation.get("labels", {}).values(), *translation.get("alts", {}).values())
    for document in (row.specifications, *row.options):
        for name, value in document.items():
            yield name
            yield from map(str, value) if isinstance(value, list) else (str(value),)
