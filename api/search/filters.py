"""The `filters` parameter:
`brand:Dell,price:500-1000,rating:4-,prime:true,inStock:true,category:Laptops,attr.color:Red`.

Filters of the same name are combined with OR (`brand:Dell,brand:HP`), filters of different names with AND. A value
with a comma goes in double quotes, in which a double quote is doubled: `attr.size:"24"" wide"`. A value
without a comma may have one as it is, but not at its beginning: `attr.size:24"`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from uuid import UUID

from api.catalog.queries.categories import Tree, within
from api.kernel.money import MAX_AMOUNT
from api.search.errors import BadFilter

MAX_PARTS = 50
# Each takes time of its own.
MAX_PRICES = 10
MOST_NAMED = 20
_PART = re.compile(
    r'\s*(?P<name>[A-Za-z]+(?:\.[^:,"]+)?)\s*:\s*+(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>(?!")[^,]*))\s*(?:,|\Z)'
)
_RANGE = re.compile(r"(\d+(?:\.\d{1,2})?)?\s*-\s*(\d+(?:\.\d{1,2})?)?")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Span:
    """From `lower` to `upper`, both of them too; None is open."""

    lower: Decimal | None
    upper: Decimal | None


@dataclass(slots=True)
class Filters:
    """Parsed filters; an empty one matches everything. `products`: only these, which no part of the text says."""

    brands: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    prices: list[Span] = field(default_factory=list)
    ratings: list[Span] = field(default_factory=list)
    attributes: dict[str, list[str]] = field(default_factory=dict)
    prime: bool | None = None
    in_stock: bool | None = None
    products: list[UUID] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Of the filters that were asked for, as they are asked for."""
        asked = {
            "brand": self.brands,
            "category": self.categories,
            "price": self.prices,
            "rating": self.ratings,
            "prime": self.prime is not None,
            "inStock": self.in_stock is not None,
        }
        return [name for name, used in asked.items() if used] + [f"attr.{name}" for name in self.attributes]

    @property
    def narrow_a_group(self) -> bool:
        """Whether one of the groups that are counted, other than categories, has a filter of its own."""
        return bool(self.brands or self.prices or self.ratings or self.attributes)


def parse_filters(text: str | None) -> Filters:
    """Raises: BadFilter (422) naming the first invalid part."""
    filters = Filters()
    position = parts = 0
    while text and position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise BadFilter(text[position : position + 60], "expected NAME:VALUE")
        position = match.end()
        parts += 1
        if parts > MAX_PARTS:
            raise BadFilter(match.group().strip(), f"at most {MAX_PARTS} filters")
        quoted = match["quoted"]
        value = (match["plain"] if quoted is None else quoted.replace('""', '"')).strip()
        _apply(filters, match["name"], value, match.group().strip().rstrip(","))
    return filters


def written(name: str, value: str) -> str:
    """The part of `filters` that asks for a value, whatever characters it has; blanks at its ends mean nothing."""
    doubled = value.replace('"', '""')
    return f'{name}:"{doubled}"' if "," in value or value.lstrip().startswith('"') else f"{name}:{value}"


def in_tree(filters: Filters, tree: Tree) -> Filters:
    """With categories that have moved where they are now. Raises: BadFilter for one that does not exist."""
    return replace(filters, categories=[_in_tree(value, tree) for value in filters.categories])


def unknown_attribute(name: str, known: Sequence[str]) -> BadFilter:
    """The refusal of an attribute that no product has; it names those that are spelled like it, or else some."""
    near = get_close_matches(name.casefold(), known, n=5, cutoff=0.6) or known[:MOST_NAMED]
    named = ", ".join(f"attr.{one}" for one in near) or "none yet"
    return BadFilter(f"attr.{name}", f"no product has this attribute; known are {named}")


def _in_tree(value: str, tree: Tree) -> str:
    if within(tree.rows, value):
        return value
    moved = tree.within(value)
    if not moved:
        raise BadFilter(f"category:{value}", "there is no such category; GET /categories lists all")
    return moved[0].path


def _apply(filters: Filters, name: str, value: str, part: str) -> None:
    if not value:
        raise BadFilter(part, "the value is missing")
    if name == "brand":
        filters.brands.append(value)
    elif name == "category":
        filters.categories.append(value)
    elif name == "price":
        filters.prices.append(_span(value, part, MAX_AMOUNT))
        if len(filters.prices) > MAX_PRICES:
            raise BadFilter(part, f"at most {MAX_PRICES} ranges of prices")
    elif name == "rating":
        filters.ratings.append(_span(value, part, Decimal(5)))
    elif name == "prime":
        filters.prime = _boolean(value, part)
    elif name == "inStock":
        filters.in_stock = _boolean(value, part)
    elif name.startswith("attr."):
        filters.attributes.setdefault(name.removeprefix("attr."), []).append(value)
    else:
        raise BadFilter(part, "known filters are brand, category, price, rating, prime, inStock and attr.NAME")


def _span(value: str, part: str, largest: Decimal) -> Span:
    """`500-1000`, `500-`, `-1000`; a single number is the lower end, as in `rating:4`."""
    match = _RANGE.fullmatch(value)
    try:
        lower, upper = (
            (None if end is None else Decimal(end) for end in match.groups()) if match else (Decimal(value), None)
        )
    except InvalidOperation:
        raise BadFilter(part, "expected FROM-TO, FROM- or -TO") from None
    ends = [end for end in (lower, upper) if end is not None]
    if not ends or not all(end.is_finite() and 0 <= end <= largest for end in ends):
        raise BadFilter(part, f"expected FROM-TO between 0 and {largest}")
    if lower is not None and upper is not None and lower > upper:
        raise BadFilter(part, "the range ends before it begins")
    return Span(lower, upper)


def _boolean(value: str, part: str) -> bool:
    if value.lower() not in _BOOLEANS:
        raise BadFilter(part, "expected true or false")
    return _BOOLEANS[value.lower()]
