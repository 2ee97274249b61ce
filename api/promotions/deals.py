"""What a buyer's codes do to a purchase: the one definition for carts and orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from api.catalog.purchase import Occasion, Wanted
from api.catalog.queries.placement import Placement
from api.kernel.errors import FieldError
from api.kernel.money import ZERO
from api.pricing.promotions import WORDS, Goods, Promotion, Reduced, Refusal, reduced
from api.promotions.codes import normalised


@dataclass(frozen=True, slots=True)
class Offered:
    """A code that the buyer may try: the promotion that it stands for, at its `version`, unless it is refused
    already."""

    code: str
    promotion: Promotion | None = None
    version: int = 0
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of a buyer, in their order, and where the products of the purchase belong."""

    offered: Sequence[Offered] = ()
    placements: Mapping[UUID, Placement] = field(default_factory=dict)


NO_CODES = Codes()


@dataclass(frozen=True, slots=True)
class Coupon:
    """What became of a code. `discount`: what it takes off all lines."""

    code: str
    promotion: Promotion | None
    version: int
    discount: Decimal
    refusal: Refusal | None

    def as_json(self) -> dict[str, object]:
        """The JSON of a CouponBody."""
        return {
            "code": self.code,
            "applied": self.refusal is None,
            "promotion": self.promotion.name if self.promotion else None,
            "discount": float(self.discount),
            "reason": self.refusal,
            "text": WORDS[self.refusal] if self.refusal else None,
        }


@dataclass(frozen=True, slots=True)
class Deal:
    """A purchase with its codes applied: price `wanted`, on an occasion `on` which it is. `free_with`: the promotion
    that pays for shipping."""

    wanted: list[Wanted]
    coupons: Sequence[Coupon] = ()
    free_with: str | None = None

    def on(self, occasion: Occasion) -> Occasion:
        return (
            occasion if self.free_with is None else replace(occasion, tariff=occasion.tariff.free_with(self.free_with))
        )

    @property
    def refused(self) -> list[Coupon]:
        return [one for one in self.coupons if one.refusal is not None]

    @property
    def refused_json(self) -> list[dict[str, object]]:
        """How a problem names the codes that take nothing off."""
        return [one.as_json() for one in self.refused]

    def errors(self, pointer: str, given: Sequence[str]) -> list[FieldError] | None:
        """The same as errors of a request that has the codes `given` at `pointer`; None when it has none."""
        places = {normalised(code) or code: place for place, code in reversed(list(enumerate(given)))}
        found = [(places.get(one.code), one.refusal) for one in self.refused]
        errors = [
            FieldError(pointer=f"{pointer}/{place}", message=WORDS[refusal])
            for place, refusal in found
            if place is not None and refusal is not None
        ]
        return errors or None


def dealt(codes: Codes, wanted: list[Wanted], products: Mapping[UUID, UUID], currency: str, now: datetime) -> Deal:
    """Apply the codes to what is wanted. `products`: by variant."""
    if not codes.offered:
        return Deal(wanted)
    goods = [_goods(one, codes.placements[products[one.variant_id]]) for one in wanted]
    usable = {one.promotion.promotion_id: one.promotion for one in codes.offered if one.promotion and not one.refusal}
    found = reduced(goods, usable.values(), currency, now)
    coupons = [_coupon(one, found) for one in _each_promotion_once(codes.offered)]
    lines = [one._replace(reductions=found.lines.get(one.variant_id, ())) for one in wanted]
    return Deal(lines, coupons, found.free_shipping.name if found.free_shipping else None)


def _goods(one: Wanted, placement: Placement) -> Goods:
    categories = frozenset(placement.categories)
    return Goods(one.variant_id, one.price * one.units, placement.product_id, placement.seller_id, categories)


def _each_promotion_once(offered: Sequence[Offered]) -> list[Offered]:
    """Of several codes of one promotion the first stands for it."""
    seen: set[UUID] = set()
    found = []
    for one in offered:
        if one.promotion is None or one.refusal is not None:
            found.append(one)
        elif one.promotion.promotion_id in seen:
            found.append(replace(one, refusal=Refusal.SAME_PROMOTION))
        else:
            seen.add(one.promotion.promotion_id)
            found.append(one)
    return found


def _coupon(one: Offered, found: Reduced) -> Coupon:
    if one.promotion is None or one.refusal is not None:
        return Coupon(one.code, one.promotion, one.version, ZERO, one.refusal)
    key = one.promotion.promotion_id
    return Coupon(one.code, one.promotion, one.version, found.of_promotion(key), found.refused.get(key))
