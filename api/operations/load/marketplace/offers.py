"""Some products of the generated marketplace are offers of one article: the same thing of two sellers, with one GTIN.

No random number is drawn for it, so everything else is the same with and without.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from api.kernel.gtin import check_digit

Row = dict[str, Any]  # of values of several types
# The numbers that are kept for examples.
_PREFIX = "0952"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two products of one kind whose first variants have the same attributes: the second becomes an offer of what the
    first is. By `product_key`."""

    first: int
    second: int

    @property
    def gtin(self) -> str:
        digits = f"{_PREFIX}{self.first:09d}"
        return f"{digits}{check_digit(digits)}"


def pairs_of(products: pl.DataFrame, kinds: list[int], variants: pl.DataFrame) -> list[Pair]:
    """At most one pair of each kind, of two sellers; `kinds` by product_key."""
    attributes = variants.unique("product_key", keep="first", maintain_order=True)["attributes"].to_list()
    sellers = products["seller_key"].to_list()
    first: dict[tuple[int, str], int] = {}
    found: dict[int, Pair] = {}
    for key, kind in enumerate(kinds):
        other = first.setdefault((kind, attributes[key]), key)
        if kind not in found and sellers[other] != sellers[key]:
            found[kind] = Pair(other, key)
    return [*found.values()]


def cents_of(pair: Pair, cents: int) -> int:
    """What the second seller asks where the first asks `cents`: a little less, or a little more."""
    whole = cents // 100
    return (whole - 1) * 100 + 99 if pair.first % 2 else (whole + 1) * 100 + 49


def offered(first: Row, second: Row, noun: str, cents: int) -> Row:
    """The second product as an offer of the first one, in words of its own; `cents`: its price."""
    rest = first["title"].removeprefix(f"{first['brand']} ").replace(f" {noun}", "")
    title = f"{noun} {first['brand']} {rest}"
    same = ("category_key", "brand", "specifications")
    return {
        **second,
        **{name: first[name] for name in same},
        "title": title,
        "description": f"{title}, new and in its box.",
        "price_cents": cents,
        "list_price_cents": None,
    }


def numbered(variants: pl.DataFrame, pairs: list[Pair], moved: dict[int, int]) -> pl.DataFrame:
    """The variants with `gtin`: the first of each product of a pair has its number. `moved`: the cents by which the
    price of a product, by its key, was changed."""
    gtins = {key: pair.gtin for pair in pairs for key in (pair.first, pair.second)}
    first = pl.col("variant_key") == pl.col("variant_key").min().over("product_key")
    number = pl.col("product_key").replace_strict(gtins, default=None, return_dtype=pl.String)
    more = pl.col("product_key").replace_strict(moved, default=0, return_dtype=pl.Int64)
    return variants.with_columns(gtin=pl.when(first).then(number), price_cents=pl.col("price_cents") + more)
