"""The orders of the generated marketplace: shoppers with tastes fill baskets project by project."""

from datetime import datetime, timedelta

import numpy as np
import orjson
import polars as pl
from numpy.random import Generator
from numpy.typing import NDArray

from api.operations.load.marketplace import words
from api.operations.load.marketplace.catalog import UTC_US, Catalog

DAYS = 180
TIERS = 3
# Shares, chosen to resemble a real shop: lines that repeat an earlier purchase, orders cancelled before
# payment, delivered orders with a return.
REPEAT_SHARE = 0.18
CANCELLED_SHARE = 0.03
RETURN_SHARE = 0.05
# The buyer's words, and their code in the refund policy.
REASONS = {
    "Arrived damaged": "damaged",
    "No longer needed": "no_longer_needed",
    "Wrong size": "wrong_size",
    "Better price elsewhere": "better_price",
    "Not as described": "not_as_described",
}


def build_customers(random: Generator, shoppers: int, opened_at: datetime) -> pl.DataFrame:
    """People with made-up names; half had joined when the shop opened, the rest over time."""
    first, last = len(words.PEOPLE_FIRST), len(words.PEOPLE_LAST)
    joined = np.maximum(0.0, random.random(shoppers) * 2 - 1) * DAYS * 0.9 * 86_400
    return pl.DataFrame(
        {
            "customer_key": np.arange(shoppers),
            "name": [
                f"{words.PEOPLE_FIRST[key % first]} {words.PEOPLE_LAST[key // first % last]}" for key in range(shoppers)
            ],
            "email": [f"shopper-{key + 1}@import.invalid" for key in range(shoppers)],
            "joined_at": [opened_at + timedelta(seconds=float(value)) for value in joined],
        },
        schema_overrides={"joined_at": UTC_US, "customer_key": pl.Int64},
    )


class Tastes:
    """Latent tastes.

    Every shopper prefers a few projects and one price tier (cheap, medium or
    expensive); every product has its own popularity.
    """

    def __init__(self, random: Generator, catalog: Catalog, shoppers: int) -> None:
        self.random = random
        self.kinds_of_project = [
            [i for i, kind in enumerate(words.KINDS) if project in kind.projects] for project in words.PROJECTS
        ]
        popularity = random.zipf(1.7, len(words.PROJECTS)).clip(1, 12).astype(float)
        liking = random.dirichlet(0.12 * popularity / popularity.mean(), shoppers)
        self.project_cumulative = np.cumsum(liking, axis=1)
        self.tier = random.integers(0, TIERS, shoppers)
        self._pick = _product_tables(random, catalog)

    def project(self, shopper: int) -> int:
        cumulative = self.project_cumulative[shopper]
        return int(min(np.searchsorted(cumulative, self.random.random() * cumulative[-1]), len(cumulative) - 1))

    def product(self, kind: int, shopper: int) -> int | None:
        """A product of this kind, drawn by the shopper's taste; None when the catalog has none."""
        table = self._pick.get((kind, int(self.tier[shopper])))
        if table is None:
            return None
        products, cumulative = table
        return int(products[np.searchsorted(cumulative, self.random.random() * cumulative[-1])])


def build_sales(
    random: Generator, catalog: Catalog, customers: pl.DataFrame, orders: int, until: datetime
) -> pl.DataFrame:
    """Lines with their order's placed_at and customer: order_key, customer_key,
    placed_at, line_key, product_key, quantity."""
    placed = order_times(random, orders, until)
    shopper_of = _shoppers(random, customers, placed, until)
    tastes = Tastes(random, catalog, customers.height)
    listed = catalog.products["listed_at"].dt.epoch("s").to_numpy()
    bought: dict[int, list[int]] = {}
    rows: list[tuple[int, int, int, int]] = []
    for order_key, (shopper, at) in enumerate(zip(shopper_of.tolist(), placed.tolist(), strict=True)):
        basket = _basket(random, tastes, shopper, bought.get(shopper, []))
        basket = [product for product in basket if listed[product] < at] or [int(np.argmin(listed))]
        bought.setdefault(shopper, []).extend(basket)
        rows.extend(
            (order_key, shopper, product, 1 + int(random.random() < 0.12) + int(random.random() < 0.03))
            for product in basket
        )
    lines = pl.DataFrame(
        rows, schema=["order_key", "customer_key", "product_key", "quantity"], orient="row"
    ).with_row_index("line_key")
    times = pl.DataFrame(
        {"order_key": np.arange(orders), "placed_at": pl.Series((placed * 1_000_000).astype(np.int64)).cast(UTC_US)}
    )
    return lines.join(times, on="order_key", maintain_order="left").with_columns(pl.col("line_key").cast(pl.Int64))


def order_times(random: Generator, orders: int, until: datetime) -> NDArray[np.float64]:
    """Ascending Unix seconds over the past DAYS, ending at `until`: slow growth, stronger weekends, busy evenings."""
    days = np.arange(DAYS)
    weight = (1 + days / DAYS) * np.where((days + until.weekday()) % 7 >= 5, 1.35, 1.0)
    day = random.choice(DAYS, orders, p=weight / weight.sum())
    second = (random.beta(4, 2.6, orders)) * 86_400
    return np.sort(until.timestamp() - (DAYS - 1 - day) * 86_400 - second)


def _shoppers(
    random: Generator, customers: pl.DataFrame, placed: NDArray[np.float64], until: datetime
) -> NDArray[np.int64]:
    """The customer of each order: some order ten times as often as others, and none before joining."""
    activity = random.gamma(0.8, 1.0, customers.height) + 0.02
    joined = customers["joined_at"].dt.epoch("s").to_numpy()
    by_joining = np.argsort(joined, kind="stable")
    cumulative = np.cumsum(activity[by_joining])
    present = np.maximum(1, np.searchsorted(joined[by_joining], placed, side="right"))
    chosen = np.searchsorted(cumulative, random.random(len(placed)) * cumulative[present - 1])
    shoppers: NDArray[np.int64] = by_joining[np.minimum(chosen, present - 1)]
    return shoppers


def _basket(random: Generator, tastes: Tastes, shopper: int, before: list[int]) -> list[int]:
    """1 to 6 different products, most of them of one project that the shopper prefers."""
    kinds = tastes.kinds_of_project[tastes.project(shopper)]
    size = min(6, 1 + int(random.poisson(1.3)))
    basket: dict[int, None] = {}
    order = random.permutation(len(kinds))
    for place in range(size):
        if before and random.random() < REPEAT_SHARE:
            basket[before[int(random.integers(len(before)))]] = None
            continue
        product = tastes.product(kinds[order[place % len(kinds)]], shopper)
        if product is not None:
            basket[product] = None
    return list(basket)


def _product_tables(
    random: Generator, catalog: Catalog
) -> dict[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Per (kind, price tier): product keys and cumulative weights; weight = Zipf
    popularity, tripled in the shopper's own tier."""
    popularity = 1.0 / (1 + random.permutation(len(catalog.kind_of_product))) ** 0.8
    tables = {}
    for kind in np.unique(catalog.kind_of_product).tolist():
        products = np.flatnonzero(catalog.kind_of_product == kind)
        rank = np.argsort(np.argsort(catalog.price_of_product[products])) * TIERS // len(products)
        for tier in range(TIERS):
            tables[kind, tier] = (products, np.cumsum(popularity[products] * np.where(rank == tier, 3.0, 0.6)))
    return tables


def addresses(random: Generator, customers: pl.DataFrame) -> pl.DataFrame:
    """customer_key, shipping_address (JSON text): one made-up address each."""
    rows = []
    for key in customers["customer_key"].to_list():
        city, state, zip_code = words.PLACES[int(random.integers(len(words.PLACES)))]
        street = f"{int(random.integers(1, 999))} {words.SERIES[int(random.integers(len(words.SERIES)))]} Street"
        address = {"street": street, "city": city, "state": state, "zipCode": zip_code, "country": "US"}
        rows.append({"customer_key": key, "shipping_address": orjson.dumps(address).decode()})
    return pl.DataFrame(rows)
