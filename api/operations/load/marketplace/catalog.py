"""Products, variants, sellers and shoppers of the generated marketplace."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import orjson
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from api.operations.load.marketplace import german, offers, words
from api.operations.load.marketplace.warehouses import warehouse_key
from api.operations.load.marketplace.words import KINDS, Kind

SELLERS: Final = 40
UTC_US = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Catalog:
    """Frames in the form of `History`, and what the sales need: `kind_of_product` and
    `price_of_product` (cents), by product_key."""

    categories: pl.DataFrame
    sellers: pl.DataFrame
    products: pl.DataFrame
    variants: pl.DataFrame
    kind_of_product: NDArray[np.int64]
    price_of_product: NDArray[np.int64]


def build_catalog(random: Generator, products: int, opened_at: datetime) -> Catalog:
    """`products` products over all kinds, with distinct titles; some are offers of one article, some in German too."""
    categories, category_of = _categories()
    sellers, sellers_of = _sellers(random)
    kind_of = np.concatenate([np.arange(len(KINDS)), random.integers(0, len(KINDS), max(0, products - len(KINDS)))])[
        :products
    ]
    titles = _titles(random, kind_of)
    cents = np.array([_price_cents(random, KINDS[kind]) for kind in kind_of], dtype=np.int64)
    rows = []
    for key, kind_index in enumerate(kind_of):
        kind = KINDS[kind_index]
        title, brand, feature = titles[key]
        rows.append(
            {
                "product_key": key,
                "seller_key": _one_of(random, sellers_of[kind.department]),
                "category_key": category_of[kind.category],
                "title": title,
                "description": f"{title}: {feature.lower()} {kind.noun.lower()} by {brand}, in {kind.category}.",
                "brand": brand,
                "price_cents": int(cents[key]),
                "list_price_cents": int(cents[key] * 1.2) // 100 * 100 + 99 if random.random() < 0.3 else None,
                "prime_eligible": bool(random.random() < 0.6),
                "specifications": _json({"brand": brand, "feature": feature, "type": kind.noun, "generated": True}),
                "listed_at": opened_at + timedelta(seconds=float(random.random() ** 3) * 60 * 86_400),
            }
        )
    variants = _variants(random, _frame(rows), kind_of)
    rows, variants = _with_offers(rows, kind_of.tolist(), variants)
    said = [_translations(row, KINDS[kind]) for row, kind in zip(rows, kind_of, strict=True)]
    frame = _frame(rows).with_columns(translations=pl.Series(said, dtype=pl.String))
    return Catalog(categories, sellers, frame, variants, kind_of, frame["price_cents"].to_numpy())


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:  # Any: values of several types
    types: dict[str, pl.DataType | type[pl.DataType]] = {"listed_at": UTC_US, "list_price_cents": pl.Int64}
    return pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None)


def _with_offers(
    rows: list[dict[str, Any]], kinds: list[int], variants: pl.DataFrame
) -> tuple[list[dict[str, Any]], pl.DataFrame]:  # Any: as above
    """The products and variants, of which some are offers of one article."""
    pairs = offers.pairs_of(_frame(rows), kinds, variants)
    moved: dict[int, int] = {}
    for pair in pairs:
        first, second = rows[pair.first], rows[pair.second]
        cents = offers.cents_of(pair, first["price_cents"])
        moved[pair.second] = cents - second["price_cents"]
        rows[pair.second] = offers.offered(first, second, KINDS[kinds[pair.first]].noun, cents)
    return rows, offers.numbered(variants, pairs, moved)


def _translations(row: dict[str, Any], kind: Kind) -> str | None:  # Any: as above
    if kind.department != german.DEPARTMENT:
        return None
    feature = orjson.loads(row["specifications"])["feature"]
    attributes = (kind.options, *words.OPTIONS[kind.options])
    said = german.translations_of(row["title"], brand=row["brand"], feature=feature, noun=kind.noun, words=attributes)
    return _json(said)


def _categories() -> tuple[pl.DataFrame, dict[str, int]]:
    rows: list[dict[str, object]] = []
    keys: dict[str, int] = {}
    for kind in KINDS:
        for name, parent in ((kind.department, None), (kind.category, kind.department)):
            if name not in keys:
                keys[name] = len(rows)
                path = f"/{parent}/{name}" if parent else f"/{name}"
                rows.append(
                    {
                        "category_key": keys[name],
                        "parent_key": keys[parent] if parent else None,
                        "name": name,
                        "path": path,
                        "level": 1 if parent else 0,
                        "names": _json(names) if (names := german.names_of(name)) else None,
                    }
                )
    return pl.DataFrame(rows, schema_overrides={"parent_key": pl.Int64}), keys


def _sellers(random: Generator) -> tuple[pl.DataFrame, dict[str, list[int]]]:
    """Each seller belongs to one department, a third also to a second one."""
    departments = list(words.BRANDS)
    of_department: dict[str, list[int]] = {name: [] for name in departments}
    rows = []
    for key in range(SELLERS):
        of_department[departments[key % len(departments)]].append(key)
        if key % 3 == 0:
            of_department[departments[int(random.integers(len(departments)))]].append(key)
        name = f"{words.SERIES[(key * 7) % len(words.SERIES)]} {words.SELLER_SECOND[key % len(words.SELLER_SECOND)]}"
        rows.append({"seller_key": key, "name": name, "email": f"seller-{key + 1}@import.invalid", "country": "US"})
    return pl.DataFrame(rows), of_department


def _titles(random: Generator, kind_of: NDArray[np.int64]) -> list[tuple[str, str, str]]:
    """(title, brand, feature) per product.

    The combinations of a kind are taken in shuffled order, so no title occurs twice.
    """
    brands, features = 6, 10
    size = brands * features * len(words.SERIES)
    order = {kind: random.permutation(size) for kind in set(kind_of.tolist())}
    used = dict.fromkeys(order, 0)
    titles = []
    for kind_index in kind_of.tolist():
        kind = KINDS[kind_index]
        mark, place = divmod(used[kind_index], size)
        used[kind_index] += 1
        number = int(order[kind_index][place])
        brand = words.BRANDS[kind.department][number % brands]
        feature = words.FEATURES[kind.department][number // brands % features]
        series = words.SERIES[number // (brands * features)]
        edition = f" Mk {mark + 1}" if mark else ""
        titles.append((f"{brand} {series} {feature} {kind.noun}{edition}", brand, feature))
    return titles


def _price_cents(random: Generator, kind: Kind) -> int:
    """A price within the kind's range, lower prices more often, ending in .99 or .49."""
    whole = int(kind.low * (kind.high / kind.low) ** float(random.beta(1.6, 2.4)))
    return whole * 100 + (99 if random.random() < 0.7 else 49)


def _variants(random: Generator, products: pl.DataFrame, kind_of: NDArray[np.int64]) -> pl.DataFrame:
    """1 to 4 per product; one in ten has 1 to 15 units left, the others 16 to 400."""
    rows: list[dict[str, object]] = []
    for product, kind_index in zip(products.iter_rows(named=True), kind_of.tolist(), strict=True):
        kind = KINDS[kind_index]
        values = words.OPTIONS[kind.options]
        count = int(random.integers(1, min(4, len(values)) + 1))
        chosen = sorted(random.choice(len(values), count, replace=False).tolist())
        for place, value in enumerate(chosen):
            extra = place * 150 if kind.options in {"capacity", "pack"} else 0
            rows.append(
                {
                    "variant_key": len(rows),
                    "product_key": product["product_key"],
                    "sku": f"MP-{product['product_key']:06d}-{place + 1}",
                    "attributes": _json({kind.options: values[value]}),
                    "price_cents": product["price_cents"] + extra,
                    "remaining": int(random.integers(1, 16)) if len(rows) % 10 == 3 else int(random.integers(16, 401)),
                    "warehouse_key": warehouse_key(int(random.integers(len(words.PLACES))), len(rows)),
                }
            )
    return pl.DataFrame(rows)


def _one_of(random: Generator, keys: list[int]) -> int:
    """As the generator chooses one, without making an array of them."""
    return keys[int(random.integers(len(keys)))]


def _json(value: Mapping[str, object]) -> str:
    return orjson.dumps(value).decode()
