"""The list of features: one definition for dbt's contracts, Feast's views, the vector of training and serving, and the
bundle's hash.

After a change here serving refuses the present champion until the next training (README.md, "Add a feature").

Windows count trading days (UTC days on which the shop took an order; `transforms/README.md`). A stored value at instant
t uses only events up to the last UTC midnight at or before t, or all up to the set's watermark when t is not before it
(and what a clock that runs ahead has dated later on the same day).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Literal

Entity = Literal["product", "user", "shop"]
Dtype = Literal["int64", "float64", "bool", "string", "strings"]
Value = int | float | bool | str | tuple[str, ...]

REQUEST = "request"
"""The `model` of columns that are computed when they are read, from two stored ones."""

KEYS: dict[Entity, str] = {"product": "product_id", "user": "user_id", "shop": "shop_id"}
SHOP_ID = "souk"
EVENT_TIMESTAMP = "event_timestamp"
CREATED_TIMESTAMP = "created_timestamp"

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class FeatureColumn:
    """One feature.

    name: `<entity>__<what>_<window>`. unit: the unit of the value. default: the value of an entity without a row.
    max_age: the age of the online row from which the vector is reported stale. model: the dbt model that computes it,
    or `request`. minus: for `request`, (minuend, subtrahend).
    """

    name: str
    entity: Entity
    dtype: Dtype
    unit: str
    default: Value
    max_age: timedelta
    model: str
    description: str
    minus: tuple[str, str] | None = None


def _product(name: str, dtype: Dtype, unit: str, default: Value, description: str) -> FeatureColumn:
    return FeatureColumn(f"product__{name}", "product", dtype, unit, default, _DAY, "features_product", description)


def _user(name: str, dtype: Dtype, unit: str, default: Value, description: str) -> FeatureColumn:
    return FeatureColumn(f"user__{name}", "user", dtype, unit, default, _DAY, "features_user", description)


def _history(name: str, description: str) -> FeatureColumn:
    return FeatureColumn(
        f"user__{name}", "user", "strings", "product ids", (), _DAY, "features_user_history", description
    )


def _since(name: str, entity: Entity, day: str, description: str) -> FeatureColumn:
    return FeatureColumn(
        f"{entity}__{name}", entity, "int64", "trading days", 0, _DAY, REQUEST, description, ("shop__trading_day", day)
    )


COLUMNS: tuple[FeatureColumn, ...] = (
    _product("orders_7d", "int64", "orders", 0, "Orders that held the product in the last 7 trading days"),
    _product("orders_30d", "int64", "orders", 0, "Orders that held the product in the last 30 trading days"),
    _product("units_30d", "int64", "pieces", 0, "Pieces ordered in the last 30 trading days"),
    _product(
        "buyers_90d", "int64", "shoppers", 0, "Distinct signed-in shoppers who ordered it in the last 90 trading days"
    ),
    _product("orders_total", "int64", "orders", 0, "Orders that ever held the product"),
    _product("units_total", "int64", "pieces", 0, "Pieces ever ordered"),
    _product(
        "price",
        "float64",
        "currency",
        0.0,
        "Price of one piece in its newest order, in the shop's currency; 0 when never ordered or no rate is known",
    ),
    _product(
        "price_ratio_180d",
        "float64",
        "ratio",
        1.0,
        "product__price over the mean price paid in the last 180 trading days, lines without a rate left out",
    ),
    _product(
        "return_rate_180d",
        "float64",
        "ratio",
        0.0,
        "Pieces asked back over pieces ordered, last 180 trading days, at most 1",
    ),
    _product("in_stock", "bool", "flag", False, "Whether anything was sellable, from the stock movements"),
    _product(
        "first_order_day", "int64", "trading day number", 0, "Trading day of its first order; 0 when never ordered"
    ),
    _product(
        "last_order_day", "int64", "trading day number", 0, "Trading day of its newest order; 0 when never ordered"
    ),
    _product(
        "category_id",
        "string",
        "category id",
        "",
        "Category it is filed under; a refiling restates the past, no history is kept",
    ),
    _user("orders_365d", "int64", "orders", 0, "Orders placed in the last 365 trading days"),
    _user("distinct_products_365d", "int64", "products", 0, "Distinct products ordered in the last 365 trading days"),
    _user("orders_total", "int64", "orders", 0, "Orders ever placed"),
    _user(
        "mean_price_365d",
        "float64",
        "currency",
        0.0,
        "Mean price of a piece over the last 365 trading days, in the shop's currency, orders without a rate left out",
    ),
    _user(
        "mean_order_value_365d",
        "float64",
        "currency",
        0.0,
        "Mean order subtotal over the last 365 trading days, in the shop's currency, orders without a rate left out",
    ),
    _user("last_order_day", "int64", "trading day number", 0, "Trading day of the newest order; 0 when none"),
    _history("sequence", "Product of each of the last 50 order lines, oldest first, repeats kept"),
    _history("bought", "Distinct products bought, in order of first purchase, the newest 500"),
    FeatureColumn(
        "shop__trading_day",
        "shop",
        "int64",
        "trading day number",
        0,
        _DAY,
        "features_shop",
        "How many trading days the shop has had",
    ),
    _since("days_since_first_order", "product", "product__first_order_day", "Trading days since its first order"),
    _since("days_since_last_order", "product", "product__last_order_day", "Trading days since its newest order"),
    _since("days_since_last_order", "user", "user__last_order_day", "Trading days since the shopper's newest order"),
)

BY_NAME: dict[str, FeatureColumn] = {column.name: column for column in COLUMNS}
STORED: tuple[FeatureColumn, ...] = tuple(column for column in COLUMNS if column.model != REQUEST)
MODELS: tuple[str, ...] = tuple(dict.fromkeys(column.model for column in STORED))
ONLINE: tuple[str, ...] = ("features_user", "features_user_history", "features_shop")
"""Models whose newest rows are written to Redis: those that one request reads. Serving holds all products in memory,
from the files."""

CLOCK = "features_shop"
"""The model whose row is written to Redis with every set: its time is the watermark of all rows there."""


def columns_of(model: str) -> tuple[FeatureColumn, ...]:
    """The columns that one dbt model computes, in order."""
    return tuple(column for column in STORED if column.model == model)


def entity_of(model: str) -> Entity:
    """The entity whose rows a dbt model holds."""
    return columns_of(model)[0].entity


def entity_columns(entity: Entity) -> tuple[FeatureColumn, ...]:
    """All columns of one entity, request-time ones included, in order."""
    return tuple(column for column in COLUMNS if column.entity == entity)


def numeric_columns(*entities: Entity) -> tuple[FeatureColumn, ...]:
    """The serving vector: columns of these entities that a model can take as a number (bool is 0 or 1), in order."""
    return tuple(
        column for column in COLUMNS if column.entity in entities and column.dtype in {"int64", "float64", "bool"}
    )


def columns_hash(columns: Iterable[FeatureColumn] = COLUMNS) -> str:
    """sha256 over everything that changes a value's meaning: order, names, types, units, defaults, formulas.

    Descriptions are not part of it.
    """
    meaning = [
        {
            key: str(value) if key == "max_age" else value
            for key, value in asdict(column).items()
            if key != "description"
        }
        for column in columns
    ]
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
