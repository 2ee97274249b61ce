"""What promotions take off a purchase, line by line and to the cent.

Promotions apply one after the other, the highest `priority` first, each to what the earlier ones left. An amount is
shared by the lines in its scope in proportion to what is left of them. Neither the order of the lines nor that of the
promotions that are given changes the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal
from uuid import UUID

from api.kernel.money import ZERO, allocate, share, to_cents

Kind = Literal["percent", "amount", "free_shipping"]


class Refusal(StrEnum):
    """Why a promotion takes nothing off."""

    UNKNOWN = "unknown"
    NOT_STARTED = "not-started"
    ENDED = "ended"
    USED_UP = "used-up"
    USED_BY_YOU = "used-by-you"
    OTHER_CURRENCY = "other-currency"
    SAME_PROMOTION = "same-promotion"
    NOT_COMBINABLE = "not-combinable"
    NO_GOODS = "no-goods"
    OTHER_GOODS = "other-goods"
    BELOW_MINIMUM = "below-minimum"
    NOTHING_LEFT = "nothing-left"


WORDS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN: "there is no such code",
    Refusal.NOT_STARTED: "it is not valid yet",
    Refusal.ENDED: "it is not valid any more",
    Refusal.USED_UP: "it has been used as often as it may be",
    Refusal.USED_BY_YOU: "you have used it as often as one buyer may",
    Refusal.OTHER_CURRENCY: "it is for goods in another currency",
    Refusal.SAME_PROMOTION: "another code of yours stands for the same promotion",
    Refusal.NOT_COMBINABLE: "it cannot be combined with your other codes",
    Refusal.NO_GOODS: "it is for goods that are not in your order",
    Refusal.OTHER_GOODS: "it holds only when everything in the order is of its goods",
    Refusal.BELOW_MINIMUM: "the goods that it is for cost less than its minimum",
    Refusal.NOTHING_LEFT: "it would take nothing off",
}


@dataclass(frozen=True, slots=True)
class Promotion:
    """`value`: per cent, or an amount; nothing for free shipping. `minimum`: of the goods in scope, before discounts.

    The scope: lines of `seller_id`, of `product_id`, in `category_id` or beneath it; None leaves it open. Of one
    `exclusive_group` of an owner only one applies; one that does not combine applies alone.
    """

    promotion_id: UUID
    name: str
    kind: Kind
    value: Decimal
    currency: str
    starts_at: datetime
    ends_at: datetime | None = None
    minimum: Decimal = ZERO
    max_discount: Decimal | None = None
    seller_id: UUID | None = None
    product_id: UUID | None = None
    category_id: UUID | None = None
    exclusive_group: str | None = None
    priority: int = 0
    combines: bool = True

    def covers(self, goods: "Goods") -> bool:
        return (
            self.seller_id in {None, goods.seller_id}
            and self.product_id in {None, goods.product_id}
            and (self.category_id is None or self.category_id in goods.categories)
        )

    def excludes(self, other: "Promotion") -> bool:
        """Whether only one of the two may apply."""
        group = self.exclusive_group
        one_group = group is not None and (group, self.seller_id) == (other.exclusive_group, other.seller_id)
        return one_group or not (self.combines and other.combines)


@dataclass(frozen=True, slots=True)
class Goods:
    """A line: its amount before discounts, and where its product belongs. `categories`: the product's and those above
    it."""

    key: UUID
    amount: Decimal
    product_id: UUID
    seller_id: UUID
    categories: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class Reduction:
    """What one promotion takes off a line."""

    promotion_id: UUID
    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Reduced:
    """`lines`: by the lines' keys, none for those that keep their price. `free_shipping`: the promotion that pays the
    fee. `refused`: by promotion."""

    lines: Mapping[UUID, tuple[Reduction, ...]]
    free_shipping: Promotion | None
    refused: Mapping[UUID, Refusal]

    def of_promotion(self, promotion_id: UUID) -> Decimal:
        """What the promotion takes off all lines."""
        every = (reduction for of_line in self.lines.values() for reduction in of_line)
        return sum((one.amount for one in every if one.promotion_id == promotion_id), ZERO)


def reduced(goods: Sequence[Goods], promotions: Iterable[Promotion], currency: str, now: datetime) -> Reduced:
    """Apply `promotions` to `goods`, which are all in one currency."""
    ordered = sorted(goods, key=lambda one: one.key)
    left = {one.key: one.amount for one in ordered}
    lines: dict[UUID, list[Reduction]] = {}
    applied: list[Promotion] = []
    refused: dict[UUID, Refusal] = {}
    for promotion in sorted(promotions, key=lambda one: (-one.priority, one.promotion_id)):
        refusal = outside(promotion, currency, now) or _unfit(promotion, ordered, applied)
        parts = {} if refusal else _parts(promotion, ordered, left)
        if refusal is None and not parts and promotion.kind != "free_shipping":
            refusal = Refusal.NOTHING_LEFT
        if refusal is not None:
            refused[promotion.promotion_id] = refusal
            continue
        applied.append(promotion)
        for key, amount in parts.items():
            left[key] -= amount
            lines.setdefault(key, []).append(Reduction(promotion.promotion_id, promotion.name, amount))
    free = next((one for one in applied if one.kind == "free_shipping"), None)
    return Reduced({key: tuple(of_line) for key, of_line in lines.items()}, free, refused)


def apart(reductions: Sequence[Reduction], amounts: Sequence[Decimal]) -> list[list[Reduction]]:
    """The reductions of a whole that consists of `amounts`, for each of them: one after the other, by what is left."""
    left, found = list(amounts), [list[Reduction]() for _ in amounts]
    for one in reductions:
        for place, amount in enumerate(allocate(one.amount, left)):
            if amount:
                left[place] -= amount
                found[place].append(replace(one, amount=amount))
    return found


def outside(promotion: Promotion, currency: str, now: datetime) -> Refusal | None:
    """Why the promotion does not hold for anything in that currency now."""
    if now < promotion.starts_at:
        return Refusal.NOT_STARTED
    if promotion.ends_at is not None and promotion.ends_at <= now:
        return Refusal.ENDED
    return None if promotion.currency == currency else Refusal.OTHER_CURRENCY


def _unfit(promotion: Promotion, goods: Sequence[Goods], applied: Sequence[Promotion]) -> Refusal | None:
    """Whether it does not hold for these goods, or with what was applied before it."""
    covered = [one for one in goods if promotion.covers(one)]
    if not covered:
        return Refusal.NO_GOODS
    if sum((one.amount for one in covered), ZERO) < promotion.minimum:
        return Refusal.BELOW_MINIMUM
    if any(promotion.excludes(other) for other in applied):
        return Refusal.NOT_COMBINABLE
    if promotion.kind == "free_shipping":
        if len(covered) < len(goods):
            return Refusal.OTHER_GOODS
        if any(other.kind == "free_shipping" for other in applied):
            return Refusal.NOTHING_LEFT
    return None


def _parts(promotion: Promotion, goods: Sequence[Goods], left: Mapping[UUID, Decimal]) -> dict[UUID, Decimal]:
    """What it takes off each line that it changes. Shares that adjoin add up, and none is more than is left of its
    line, because the whole is not."""
    covered = [one.key for one in goods if promotion.covers(one)]
    whole = sum((left[key] for key in covered), ZERO)
    off = _off(promotion, whole)
    parts: dict[UUID, Decimal] = {}
    before = ZERO
    for key in covered if off else ():
        part = share(off, before, before + left[key], whole)
        before += left[key]
        if part:
            parts[key] = part
    return parts


def _off(promotion: Promotion, whole: Decimal) -> Decimal:
    """What it takes off goods for `whole`."""
    if promotion.kind == "free_shipping":
        return ZERO
    off = to_cents(whole * promotion.value / 100) if promotion.kind == "percent" else promotion.value
    return min(off, whole) if promotion.max_discount is None else min(off, whole, promotion.max_discount)
