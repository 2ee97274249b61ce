"""Whether a product is sold to somebody, somewhere: the one rule of page, cart, order, edit and exchange. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal
from uuid import UUID

import orjson

from api.kernel.errors import FieldError, ValidationFailed

Reason = Literal["country", "age_not_given", "too_young"]


class Restricted(ValidationFailed):
    """`items` in the document: each product that is not sold to this buyer or there, with `productId`, `variantId`,
    `title`, `reason`, and `country` or `minAge`."""

    title, code = "Something is not sold to you, or there", "restricted"


@dataclass(frozen=True, slots=True)
class Limits:
    """A product's restrictions. `allowed` None: every country but the denied ones."""

    min_age: int | None
    allowed: frozenset[str] | None
    denied: frozenset[str]

    def bar(self, country: str) -> bool:
        """Whether it is not sold there."""
        return country in self.denied or (self.allowed is not None and country not in self.allowed)


@dataclass(frozen=True, slots=True)
class ToBuy:
    """Units that somebody wants in a country; `pointer` to where the request names them."""

    product_id: UUID
    variant_id: UUID
    title: str
    limits: Limits | None
    country: str
    pointer: str


@lru_cache(maxsize=1_000)
def limits_of(stored: str) -> Limits:
    """What the stored JSON says."""
    known = orjson.loads(stored)
    allowed = known.get("allowedCountries")
    denied = frozenset(known.get("deniedCountries", ()))
    return Limits(known.get("minAge"), frozenset(allowed) if allowed else None, denied)


def not_sold_to(country: str) -> str:
    """In words, after the name of what is meant."""
    return f"not sold to {country}"


def age_on(day: date, birth: date) -> int:
    """Whole years. Who was born on February 29 is a year older on March 1 of other years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def require_allowed(wanted: Iterable[ToBuy], birth: date | None, today: date, *, ages: bool = True) -> None:
    """Raises: Restricted, which names everything that is not sold there, or not to somebody of that day of birth; with
    `ages` False the age was asked for before."""
    age = None if birth is None else age_on(today, birth)
    errors: dict[tuple[str, str], FieldError] = {}
    items: list[dict[str, object]] = []
    for one in wanted:
        refused = None if one.limits is None else _refused(one, one.limits, age, ages=ages)
        if refused is not None:
            error, told = refused
            errors.setdefault((error.pointer, error.message), error)
            items.append(
                {"productId": str(one.product_id), "variantId": str(one.variant_id), "title": one.title} | told
            )
    if items:
        detail = "Send birthDate where it is needed; remove what `items` names otherwise, or send it elsewhere."
        raise Restricted(detail, errors=[*errors.values()], extra={"items": items})


def _refused(one: ToBuy, limits: Limits, age: int | None, *, ages: bool) -> tuple[FieldError, dict[str, object]] | None:
    if limits.bar(one.country):
        message = f"{one.title} is {not_sold_to(one.country)}"
        return FieldError(pointer=one.pointer, message=message), _told("country", country=one.country)
    if limits.min_age is None or not ages:
        return None
    message = f"{one.title} is sold from {limits.min_age} years of age on"
    if age is None:
        return FieldError(pointer="/birthDate", message=f"needed: {message}"), _told(
            "age_not_given", minAge=limits.min_age
        )
    if age < limits.min_age:
        return FieldError(pointer=one.pointer, message=message), _told("too_young", minAge=limits.min_age)
    return None


def _told(reason: Reason, **about: object) -> dict[str, object]:
    return {"reason": reason, **about}
