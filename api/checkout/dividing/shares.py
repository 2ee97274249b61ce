"""How the lines of an order share what was priced for all units of a wanted line: its discounts and its tax."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from api.catalog.purchase import Purchase, Wanted
from api.checkout.dividing.destinations import Bound
from api.checkout.schemas import PlanRedemption
from api.inventory.allocation import Allocation
from api.kernel.ids import new_id
from api.kernel.money import ZERO, allocate
from api.pricing.promotions import Reduction, apart
from api.promotions.deals import Deal


@dataclass(slots=True)
class Sent:
    """An allocation on its way to a line: `off` is what each promotion takes off it. `place`: which of the wanted
    lines it is of."""

    item_id: UUID
    allocation: Allocation
    place: int
    off: Sequence[Reduction] = ()
    tax: Decimal = ZERO

    @property
    def discount(self) -> Decimal:
        return sum((one.amount for one in self.off), ZERO)

    @property
    def promotion(self) -> str | None:
        """The names of all of them."""
        return ", ".join(one.name for one in self.off) or None


def shared(bought: Purchase) -> list[Sent]:
    """The allocations, each with its share of its line's discounts and tax, by what is left to pay. No share is more
    than that, so a line's tax is never more than what is paid for it."""
    sent = _pieces(bought)
    of_line: list[list[Sent]] = [[] for _ in bought.wanted]
    for piece in sent:
        of_line[piece.place].append(piece)
    for one, tax, pieces in zip(bought.wanted, bought.totals.lines, of_line, strict=True):
        _share(one, tax.amount, pieces)
    return sent


def _pieces(bought: Purchase) -> list[Sent]:
    """The allocations, cut where the units of one wanted line end and those of the next of the variant begin: parts of
    kits, at prices of their own."""
    places: dict[UUID, list[int]] = {}
    for place, one in enumerate(bought.wanted):
        places.setdefault(one.variant_id, []).append(place)
    if len(places) == len(bought.wanted):
        return [Sent(new_id(), one, places[one.variant_id][0]) for one in bought.allocations]
    left = [one.units for one in bought.wanted]
    found = list[Sent]()
    for allocation in bought.allocations:
        rest = allocation.quantity
        for place in places[allocation.variant_id]:
            if taken := min(rest, left[place]):
                found.append(Sent(new_id(), replace(allocation, quantity=taken), place))
                left[place] -= taken
                rest -= taken
    return found


def divided(wanted: Sequence[Wanted], going: Sequence[Bound]) -> list[Bound]:
    """The destinations, each with its share of the discounts of what is wanted."""
    found = list(going)
    for whole in wanted:
        if not whole.reductions:
            continue
        places = [n for n, one in enumerate(found) if any(each.variant_id == whole.variant_id for each in one.wanted)]
        left = [sum((_price(each, whole) for each in found[n].wanted), ZERO) for n in places]
        for place, off in zip(places, apart(whole.reductions, left), strict=True):
            own = [each._replace(reductions=off) if _price(each, whole) else each for each in found[place].wanted]
            found[place] = replace(found[place], wanted=own)
    return found


def redemptions_of(deal: Deal, sent: Sequence[Sequence[Sent]], email: str | None) -> list[PlanRedemption]:
    """What the order redeems; `sent`: of each destination."""
    return [
        PlanRedemption(
            redemption_id=new_id(),
            promotion_id=promotion.promotion_id,
            version=coupon.version,
            code=coupon.code,
            email=email,
            discount=coupon.discount,
            lines=[
                (line.item_id, reduction.amount)
                for of_destination in sent
                for line in of_destination
                for reduction in line.off
                if reduction.promotion_id == promotion.promotion_id
            ],
        )
        for coupon in deal.coupons
        if coupon.refusal is None and (promotion := coupon.promotion) is not None
    ]


def _share(one: Wanted, tax: Decimal, sent: Sequence[Sent]) -> None:
    if len(sent) == 1:
        sent[0].off, sent[0].tax = one.reductions, tax
        return
    paid = [one.price * line.allocation.quantity for line in sent]
    if one.reductions:
        for line, off in zip(sent, apart(one.reductions, paid), strict=True):
            line.off = off
        paid = [amount - line.discount for line, amount in zip(sent, paid, strict=True)]
    if any(paid):
        for line, amount in zip(sent, allocate(tax, paid), strict=True):
            line.tax = amount


def _price(one: Wanted, of: Wanted) -> Decimal:
    """What the units cost, if they are of that variant."""
    return one.price * one.units if one.variant_id == of.variant_id else ZERO
