"""Reads of promotions: those that a buyer's codes stand for, and those that a seller or the shop offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Select, String, Uuid, and_, any_, bindparam, func, literal, or_, select

from api.catalog.queries.placement import placements_query
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, all_as
from api.kernel.errors import Forbidden
from api.kernel.pagination import PageParams
from api.pricing.promotions import Kind, Refusal
from api.pricing.promotions import Promotion as Terms
from api.promotions.codes import normalised
from api.promotions.deals import NO_CODES, Codes, Offered
from api.promotions.errors import PromotionNotFound
from api.promotions.models import Coupon, CouponRedemption, Promotion
from api.promotions.schemas import PromotionBody, PromotionList

_TERMS = (
    Promotion.promotion_id,
    Promotion.name,
    Promotion.kind,
    Promotion.value,
    Promotion.currency,
    Promotion.starts_at,
    Promotion.ends_at,
    Promotion.minimum,
    Promotion.max_discount,
    Promotion.seller_id,
    Promotion.product_id,
    Promotion.category_id,
    Promotion.exclusive_group,
    Promotion.priority,
    Promotion.combines,
)
_BY_BUYER = (
    select(func.count())
    .where(
        CouponRedemption.promotion_id == Promotion.promotion_id,
        CouponRedemption.status == "redeemed",
        or_(
            CouponRedemption.user_id == bindparam("buyer", type_=Uuid),
            CouponRedemption.buyer_email == bindparam("email", type_=String),
        ),
    )
    .scalar_subquery()
)
_OFFERED = (
    select(
        Coupon.code,
        *_TERMS,
        Promotion.version,
        func.coalesce(Promotion.redeemed >= Promotion.total_limit, False).label("used_up"),
        func.coalesce(Promotion.per_buyer_limit <= _BY_BUYER, False).label("used_by_buyer"),
        and_(
            Coupon.buyer_email.is_not(None), Coupon.buyer_email != func.coalesce(bindparam("email"), Coupon.buyer_email)
        ).label("anothers"),
    )
    .join(Promotion, Promotion.promotion_id == Coupon.promotion_id)
    .where(Coupon.code == any_(bindparam("codes", type_=ARRAY(String))))
)


@dataclass(frozen=True, slots=True)
class _Found:
    """A code with its promotion."""

    code: str
    promotion_id: UUID
    name: str
    kind: str
    value: Decimal
    currency: str
    starts_at: datetime
    ends_at: datetime | None
    minimum: Decimal
    max_discount: Decimal | None
    seller_id: UUID | None
    product_id: UUID | None
    category_id: UUID | None
    exclusive_group: str | None
    priority: int
    combines: bool
    version: int
    used_up: bool
    used_by_buyer: bool
    anothers: bool

    def offered(self) -> Offered:
        if self.anothers:
            return Offered(self.code, refusal=Refusal.UNKNOWN)
        refusal = Refusal.USED_UP if self.used_up else Refusal.USED_BY_YOU if self.used_by_buyer else None
        return Offered(self.code, self._terms(), self.version, refusal)

    def _terms(self) -> Terms:
        return Terms(
            promotion_id=self.promotion_id,
            name=self.name,
            kind=cast("Kind", self.kind),
            value=self.value,
            currency=self.currency,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            minimum=self.minimum,
            max_discount=self.max_discount,
            seller_id=self.seller_id,
            product_id=self.product_id,
            category_id=self.category_id,
            exclusive_group=self.exclusive_group,
            priority=self.priority,
            combines=self.combines,
        )


async def codes_of(
    tx: ReadTx, actor: Actor, email: str | None, codes: Sequence[str], products: Sequence[UUID]
) -> Codes:
    """What the codes stand for, for this buyer. `email`: a guest's, if it is known; `products`: those to buy."""
    if not codes:
        return NO_CODES
    known = {code: stored for code in codes if (stored := normalised(code)) is not None}
    whose = {"buyer": actor.user_id, "email": buyer_email(actor, email)}
    rows, placements = await tx.batch(
        all_as(_Found, _OFFERED, {"codes": list(known.values()), **whose}), placements_query(products)
    )
    found = {row.code: row.offered() for row in rows}
    each = dict.fromkeys(known.get(code, code) for code in codes)
    return Codes([found.get(code) or Offered(code, refusal=Refusal.UNKNOWN) for code in each], placements)


def buyer_email(actor: Actor, email: str | None) -> str | None:
    """By which a buyer's redemptions are counted, signed in or not."""
    own = actor.email if actor.signed_in else email
    return None if own is None else own.strip().lower()


def owner_of(actor: Actor) -> UUID | None:
    """Whose promotions the actor manages: a seller their own, an administrator the shop's. Raises: Forbidden."""
    if actor.kind == "admin":
        return None
    if actor.kind != "seller":
        raise Forbidden("Only sellers and administrators have promotions.")
    return actor.user_id


_CODES = select(func.array_agg(Coupon.code)).where(Coupon.promotion_id == Promotion.promotion_id).scalar_subquery()
_OWNED = Promotion.seller_id.is_not_distinct_from(bindparam("owner", type_=Uuid))
_BODY: Select[tuple[object, ...]] = select(
    *_TERMS,
    Promotion.total_limit,
    Promotion.per_buyer_limit,
    Promotion.redeemed,
    Promotion.created_at,
    func.coalesce(_CODES, literal([], ARRAY(String))).label("codes"),
)
_ONE = _BODY.where(Promotion.promotion_id == bindparam("promotion_id"), _OWNED)
_LIST = (
    _BODY.where(_OWNED)
    .order_by(Promotion.created_at.desc(), Promotion.promotion_id)
    .limit(bindparam("most"))
    .offset(bindparam("skipped"))
)
_COUNT = select(func.count()).select_from(Promotion).where(_OWNED)


async def promotion_of(tx: ReadTx, actor: Actor, promotion_id: UUID) -> PromotionBody:
    """Raises: PromotionNotFound, also for other people's promotions; Forbidden."""
    found = await tx.first_as(PromotionBody, _ONE, {"promotion_id": promotion_id, "owner": owner_of(actor)})
    if found is None:
        raise PromotionNotFound
    return found


async def promotions_of(tx: ReadTx, actor: Actor, page: PageParams) -> PromotionList:
    """The actor's promotions, the newest first. Raises: Forbidden."""
    owner = owner_of(actor)
    rows = await tx.all_as(PromotionBody, _LIST, {"owner": owner, "most": page.limit, "skipped": page.offset})
    total = await tx.scalar(_COUNT, {"owner": owner})
    return PromotionList.of(rows, page, total)


_PAYS_FEE = (
    select(Promotion.name)
    .join(CouponRedemption, CouponRedemption.promotion_id == Promotion.promotion_id)
    .where(CouponRedemption.order_id == bindparam("order_id", type_=Uuid), Promotion.kind == "free_shipping")
    .limit(1)
)


async def pays_fee_of(tx: ReadTx, order_id: UUID) -> str | None:
    """The promotion that pays the fee of this order, if one does."""
    name: str | None = await tx.scalar(_PAYS_FEE, {"order_id": order_id})
    return name
