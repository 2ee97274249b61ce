"""Promotions on the wire."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, Field

from api.kernel.money import Amount, Price
from api.kernel.pagination import PageParams, Pagination
from api.kernel.schemas import Wire, WireId
from api.kernel.texts import MAIL_ADDRESS, OneLine
from api.pricing.promotions import Kind

MOST_CODES_OF_ONE = 100
_Moment = Annotated[
    AwareDatetime, Field(strict=False, ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2999, 12, 31, tzinfo=UTC))
]
_Limit = Annotated[int, Field(ge=1, le=1_000_000_000)]
_Name = Annotated[OneLine, Field(min_length=1, max_length=80, examples=["Summer sale"])]
Code = Annotated[OneLine, Field(min_length=1, max_length=100, examples=["SUMMER-10"])]
_Email = Annotated[OneLine, Field(max_length=254, pattern=MAIL_ADDRESS)]


class CodeIn(Wire):
    """A code of 3 to 40 letters, digits and hyphens; small letters are the same as capital ones. With `email` only that
    buyer may use it."""

    code: Code
    email: _Email | None = None


_NewCodes = Annotated[list[CodeIn], Field(max_length=MOST_CODES_OF_ONE)]


class PromotionIn(Wire):
    """`value`: per cent, or an amount; none for free shipping. Without `productId` and `category` (its id, path or
    name) it is for all goods of the seller, an administrator's for all of the shop.

    `minimum`: what the goods that it is for must cost, before discounts. `totalLimit` counts orders with whatever code,
    `perBuyerLimit` those of one buyer. Promotions apply by `priority`, the highest first, each to what is left; of one
    `exclusiveGroup` one applies, and one that does not `combines` applies alone.
    """

    name: _Name
    kind: Kind
    value: Amount | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    minimum: Annotated[Amount, Field(ge=0)] = Decimal("0.00")
    max_discount: Price | None = None
    product_id: WireId | None = None
    category: Annotated[OneLine, Field(min_length=1, max_length=1_000)] | None = None
    exclusive_group: Annotated[OneLine, Field(min_length=1, max_length=50)] | None = None
    priority: Annotated[int, Field(ge=-1_000, le=1_000)] = 0
    combines: bool = True
    total_limit: _Limit | None = None
    per_buyer_limit: _Limit | None = None
    starts_at: _Moment | None = None
    ends_at: _Moment | None = None
    codes: Annotated[_NewCodes, Field(min_length=1)]


class PromotionPatch(Wire):
    """The fields that are sent change. What it takes off stays: end it, and create another. Of `addCodes` those that it
    has already stay as they are."""

    name: _Name | None = None
    total_limit: _Limit | None = None
    ends_at: _Moment | None = None
    add_codes: Annotated[_NewCodes, Field(default_factory=list)]


class PromotionBody(Wire):
    """`redeemed`: by how many orders that are not cancelled. `sellerId` is null for the shop's."""

    promotion_id: WireId
    seller_id: WireId | None
    name: str
    kind: str
    value: Amount
    currency: str
    minimum: Amount
    max_discount: Amount | None
    product_id: WireId | None
    category_id: WireId | None
    exclusive_group: str | None
    priority: int
    combines: bool
    total_limit: int | None
    per_buyer_limit: int | None
    redeemed: int
    starts_at: datetime
    ends_at: datetime | None
    codes: list[str]
    created_at: datetime


class PromotionList(Wire):
    promotions: list[PromotionBody]
    pagination: Pagination

    @classmethod
    def of(cls, rows: Sequence[PromotionBody], page: PageParams, total: int) -> "PromotionList":
        more = page.offset + len(rows) < total
        shown = Pagination(page=page.page, limit=page.limit, total=total, has_more=more, next_cursor=None)
        return cls(promotions=list(rows), pagination=shown)
