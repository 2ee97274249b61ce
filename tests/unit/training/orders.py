"""A small shop with a taste that can be learnt: three departments, shoppers stay in theirs, products follow one
another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from features.asof import StoredRows
from features.columns import BY_NAME, CREATED_TIMESTAMP, EVENT_TIMESTAMP
from training.data.datasets import FeatureTable, TrainingData
from training.data.readers import training_data

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 60
COLUMNS = ("product__orders_7d", "product__price", "user__orders_365d")


def products(count: int = 60) -> pl.DataFrame:
    """`count` products in three departments, the last one a fee that must never be recommended."""
    rows = [
        {
            "product_id": f"p{number:03d}",
            "title": f"{('red', 'green', 'blue')[number % 3]} thing {number}",
            "brand": f"brand {number % 6}",
            "category_path": f"shop > department {number % 3}",
            "recommendable": True,
        }
        for number in range(count)
    ]
    return pl.DataFrame([*rows, {**rows[0], "product_id": "postage", "title": "POSTAGE"}])


def lines(users: int = 80, count: int = 60, seed: int = 3) -> pl.DataFrame:
    """Order lines over DAYS days: a shopper keeps to one department and buys neighbours of what he bought last; each
    order pays postage."""
    generator = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        department, place = user % 3, int(generator.integers(0, count // 3))
        days = np.sort(generator.choice(DAYS, 8, replace=False))
        for number, day in enumerate(days):
            place = (place + int(generator.integers(1, 4))) % (count // 3)
            when = START + timedelta(days=int(day), hours=int(generator.integers(0, 24)))
            order = {
                "order_id": f"o{user:03d}-{number}",
                "user_id": f"u{user:03d}" if user % 10 else None,
                "ordered_at": when,
                "quantity": 1,
            }
            chosen = [
                f"p{place * 3 + department:03d}",
                f"p{(place + 1) % (count // 3) * 3 + department:03d}",
                "postage",
            ]
            rows += [{**order, "product_id": product, "is_cancelled": False} for product in chosen]
    return pl.DataFrame(rows)


def features(seed: int = 5) -> FeatureTable:
    """Daily product rows and user rows; product__orders_7d follows the department, so that it carries something."""
    generator = np.random.default_rng(seed)
    ids = products()["product_id"].to_list()
    stamps = [START + timedelta(days=day) for day in range(0, DAYS, 10)]
    product = [
        {
            "product_id": item,
            "event_timestamp": stamp,
            "product__orders_7d": int(generator.integers(0, 50)),
            "product__price": float(place),
        }
        for place, item in enumerate(ids)
        for stamp in stamps
    ]
    user = [
        {"user_id": f"u{number:03d}", "event_timestamp": stamp, "user__orders_365d": number % 7}
        for number in range(80)
        for stamp in stamps
    ]
    return feature_table(pl.DataFrame(product), pl.DataFrame(user))


def shuffled(table: FeatureTable, name: str, seed: int) -> FeatureTable:
    """One stored column's values dealt to other rows: what a ranker that uses it must notice."""
    model = BY_NAME[name].model
    mixed = pl.DataFrame(table.stored.tables[model]).with_columns(pl.col(name).shuffle(seed=seed))
    return replace(table, stored=StoredRows({**table.stored.tables, model: mixed.to_arrow()}))


def feature_table(products: pl.DataFrame, users: pl.DataFrame) -> FeatureTable:
    """The three columns of these rows."""
    frames = {"features_product": products, "features_user": users}
    stored = {
        model: frame.with_columns(pl.col(EVENT_TIMESTAMP).alias(CREATED_TIMESTAMP)).to_arrow()
        for model, frame in frames.items()
    }
    return FeatureTable(COLUMNS, "hash-of-three-columns", StoredRows(stored))


def shop(*, with_features: bool = True, extra: pl.DataFrame | None = None, lsn: int = 1000) -> TrainingData:
    """The shop as TrainingData; `extra` appends order lines."""
    frame = lines() if extra is None else pl.concat([lines(), extra], how="diagonal_relaxed")
    return training_data("small shop", frame, products(), lsn, features() if with_features else None)


def hot_shop() -> TrainingData:
    """Shoppers also buy what is hot in these weeks, and only `product__orders_7d` says what is hot: a ranker without
    features cannot know.

    The hot set of the validation weeks is stamped before day 48, that of the test weeks before day 54.
    """
    generator = np.random.default_rng(11)
    ids = [product for product in products()["product_id"].to_list() if product != "postage"]
    hot = {day: set(generator.choice(ids, 6, replace=False).tolist()) for day in range(0, DAYS, 2)}
    hot |= dict.fromkeys((48, 50, 52), hot[46]) | dict.fromkeys((54, 56, 58), hot[52])
    rows = []
    for user in range(120):
        for number, day in enumerate(np.sort(generator.choice(DAYS, 10, replace=False)).tolist()):
            chosen = [
                *generator.choice(sorted(hot[day // 2 * 2]), 2, replace=False).tolist(),
                str(generator.choice(ids)),
            ]
            when = START + timedelta(days=day, hours=12)
            rows += [
                {"order_id": f"h{user}-{number}", "user_id": f"u{user:03d}", "product_id": product, "ordered_at": when}
                for product in chosen
            ]
    stamps = [
        {
            "product_id": item,
            "event_timestamp": START + timedelta(days=day),
            "product__orders_7d": 40 * (item in hot[day]),
            "product__price": 1.0,
        }
        for day in (0, 24, 48, 54)
        for item in ids
    ]
    user_rows = [
        {"user_id": f"u{number:03d}", "event_timestamp": START, "user__orders_365d": number % 7}
        for number in range(120)
    ]
    table = feature_table(pl.DataFrame(stamps), pl.DataFrame(user_rows))
    return training_data("hot shop", pl.DataFrame(rows).unique(["order_id", "product_id"]), products(), 1000, table)
