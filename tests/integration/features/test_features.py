"""Features as of an instant: against brute force over the shop's rows, and the online store against the past, bit for
bit."""

import random
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import redis

from features.asof import StoredRows, numbers
from features.columns import (
    COLUMNS,
    EVENT_TIMESTAMP,
    MODELS,
    ONLINE,
    SHOP_ID,
    Value,
    columns_hash,
    columns_of,
)
from features.errors import FeaturesMissing
from features.materialise import materialise
from features.online import OnlineStore
from features.published import published
from features.settings import FeatureSettings
from tests.harness.synthetic_lake import START, Row, SyntheticShop, random_shop
from tests.integration.conftest import BuiltMarts

pytestmark = pytest.mark.timeout(600)
Answer = dict[str, Value]


@pytest.fixture(scope="module")
def folder(built_marts: BuiltMarts) -> Path:
    return built_marts.result.features.resolve()


@pytest.fixture(scope="module")
def questions(built_marts: BuiltMarts) -> pl.DataFrame:
    """Random (product, shopper, instant), midnights and the watermark itself included, unknown entities too."""
    rng = random.Random(11)
    products = [*(str(row["product_id"]) for row in built_marts.shop.rows["products"]), "unknown"]
    users = [*sorted({str(row["user_id"]) for row in built_marts.shop.rows["orders"] if row["user_id"]}), "unknown"]
    as_of = built_marts.watermark.commit_ts
    rows = []
    for _ in range(400):
        moment = (
            START + timedelta(days=rng.uniform(-1, 60))
            if rng.random() < 0.8
            else START + timedelta(days=rng.randrange(60))
        )
        rows.append((rng.choice(products), rng.choice(users), moment if rng.random() < 0.9 else as_of))
    return pl.DataFrame(rows, schema=["product_id", "user_id", EVENT_TIMESTAMP], orient="row").with_columns(
        pl.col(EVENT_TIMESTAMP).dt.cast_time_unit("us")
    )


@pytest.fixture(scope="module")
def frame(questions: pl.DataFrame, folder: Path) -> pl.DataFrame:
    return _answers(questions, StoredRows.read(folder))


def _answers(questions: pl.DataFrame, stored: StoredRows) -> pl.DataFrame:
    """The questions with every column of product, shop and user, each row as of its own instant."""
    answers = []
    for product, user, moment in questions.iter_rows():
        parts = [
            stored.as_of("product", [product], moment),
            stored.as_of("shop", [SHOP_ID], moment),
            stored.as_of("user", [user], moment),
        ]
        answers.append(pl.concat([pl.DataFrame(part) for part in parts], how="horizontal"))
    return pl.concat([questions, pl.concat(answers)], how="horizontal")


def test_brute_force_answers_every_column() -> None:
    oracle = Oracle(random_shop(7), START)

    answered = {*oracle.product("unknown", START), *oracle.user("unknown", START)}

    missing = {column.name for column in COLUMNS} - answered
    assert not missing, f"compute {sorted(missing)} a second time in plain Python, in Oracle.product or Oracle.user"


def test_every_value_is_what_brute_force_over_the_past_gives(built_marts: BuiltMarts, frame: pl.DataFrame) -> None:
    oracle = Oracle(built_marts.shop, built_marts.watermark.commit_ts)

    assert sorted(frame.columns[3:]) == sorted(column.name for column in COLUMNS)
    assert _mismatches(frame, oracle) == []
    assert max(frame["product__orders_30d"].to_list()) > max(frame["product__orders_7d"].to_list()) > 0


def test_a_guest_is_a_shopper_of_whom_nothing_is_known(questions: pl.DataFrame, folder: Path) -> None:
    asked, stored = questions.head(20), StoredRows.read(folder)
    guests = _answers(asked.with_columns(pl.lit("").alias("user_id")), stored)
    nobody = _answers(asked.with_columns(pl.lit("unknown").alias("user_id")), stored)
    assert guests.drop("user_id").equals(nobody.drop("user_id"))


def test_a_planted_future_leak_is_caught(built_marts: BuiltMarts, questions: pl.DataFrame, folder: Path) -> None:
    """The negative control of the test above: rows that become visible one day too early must be noticed."""
    early = {
        model: pl.DataFrame(rows).with_columns(pl.col(EVENT_TIMESTAMP) - pl.duration(days=1)).to_arrow()
        for model, rows in StoredRows.read(folder).tables.items()
    }

    leaked = _answers(questions, StoredRows(early))

    assert len(_mismatches(leaked, Oracle(built_marts.shop, built_marts.watermark.commit_ts))) > 50


def test_the_online_row_is_the_stored_row_bit_for_bit(
    built_marts: BuiltMarts, folder: Path, redis_url: str, tmp_path: Path
) -> None:
    settings = FeatureSettings(
        home=built_marts.settings.home, redis_url=redis_url, feast_registry_url=str(tmp_path / "registry.db")
    )

    result = materialise(settings)
    again = materialise(settings)

    users = [*sorted({str(row["user_id"]) for row in built_marts.shop.rows["orders"] if row["user_id"]}), "unknown"]
    past = StoredRows.read(folder).as_of("user", users, built_marts.watermark.commit_ts).to_pylist()
    store = OnlineStore(redis_url)
    store.warm(240)
    try:
        for user, expected, row in zip(users, past, store.read("user", users), strict=True):
            assert {name: _plain(value) for name, value in row.values.items()} == expected, user
            assert row.known == (user != "unknown")
            for name, value in numbers("user", row.values).items():
                assert struct.pack("d", value) == struct.pack("d", expected[name]), (user, name)
        assert store.read_user("unknown") is None
        known = store.read_user(users[0])
        assert known is not None
        assert list(known.sequence) == past[0]["user__sequence"]
        assert list(known.bought) == past[0]["user__bought"]
        # the shop of this test lives in the spring of 2026, which is more than a day ago
        assert known.stale == (datetime.now(UTC) - built_marts.watermark.commit_ts > timedelta(days=1))
        with pytest.raises(ValueError, match="product are not in the online store"):
            store.read("product", ["unknown"])
    finally:
        store.close()
    assert result.rows == again.rows
    assert tuple(result.rows) == ONLINE
    assert result.rows["features_user"] == len(users) - 1


def test_the_registry_holds_the_list(built_marts: BuiltMarts, redis_url: str, tmp_path: Path) -> None:
    """Feast's registry names views, columns, owners and the hash, for readers other than serving."""
    settings = FeatureSettings(
        home=built_marts.settings.home, redis_url=redis_url, feast_registry_url=str(tmp_path / "registry.db")
    )
    materialise(settings)

    from feast import FeatureStore

    from features.store import online_config

    views = {view.name: view for view in FeatureStore(config=online_config(settings)).list_feature_views()}

    assert set(views) == set(MODELS)
    assert {name for name, view in views.items() if view.online} == set(ONLINE)
    for model, view in views.items():
        assert [field.name for field in view.features] == [column.name for column in columns_of(model)]
        assert view.tags["columns_hash"] == columns_hash()


def test_an_absent_redis_is_an_error_and_not_a_default() -> None:
    store = OnlineStore("redis://127.0.0.1:1/0", timeout_seconds=0.2)
    store.warm(240)

    with pytest.raises(redis.ConnectionError):
        store.read_user("anybody")


def test_before_the_first_build_the_words_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FeaturesMissing, match=r"transforms\.build"):
        published(FeatureSettings(home=tmp_path))


class Oracle:
    """The definitions of the columns, said a second time in plain Python over the shop's rows, one instant at a
    time."""

    def __init__(self, shop: SyntheticShop, as_of: datetime) -> None:
        self.as_of = as_of
        cancelled = {
            row["order_id"]: _moment(row) for row in shop.rows["order_events"] if row["to_status"] == "cancelled"
        }
        orders = {row["order_id"]: row for row in shop.rows["orders"]}
        self.lines = [
            line
            | {"at": _moment(order), "user_id": order["user_id"]}
            | {
                name: shop.in_pounds(_money(line[of]), _moment(order).date(), order["currency"])
                for name, of in (("price", "price_at_purchase"), ("amount", "subtotal"))
            }
            for line in shop.rows["order_items"]
            if (order := orders[line["order_id"]])
            and not (line["order_id"] in cancelled and cancelled[line["order_id"]].date() == _moment(order).date())
        ]
        self.lines.sort(key=lambda line: (_moment(line), str(line["order_id"]), str(line["order_item_id"])))
        self.shop = shop
        owners = {row["variant_id"]: row["product_id"] for row in shop.rows["product_variants"]}
        self.stock = [
            (owners[row["variant_id"]], _moment(row), _whole(row["quantity_change"]))
            for row in shop.rows["inventory_transactions"]
        ]
        self.returns = [(row["product_id"], _moment(row), _whole(row["quantity"])) for row in shop.rows["returns"]]
        self.categories = {row["product_id"]: str(row["category_id"]) for row in shop.rows["products"]}

    def seen(self, moment: datetime, at: datetime) -> bool:
        """Whether something at `at` counts at `moment`: from the watermark on all of its day and before, else whole
        past days."""
        return at.date() <= self.as_of.date() and (moment >= self.as_of or at.date() < moment.date())

    @cache  # noqa: B019 - lives as long as the test
    def trading_days(self, moment: datetime) -> tuple[date, ...]:
        return tuple(sorted({_moment(line).date() for line in self.lines if self.seen(moment, _moment(line))}))

    def product(self, product: str, moment: datetime) -> Answer:
        days = self.trading_days(moment)
        number = {day: index + 1 for index, day in enumerate(days)}
        lines = [line for line in self.lines if line["product_id"] == product and self.seen(moment, _moment(line))]

        def last(window: int) -> list[Row]:
            return [line for line in lines if number[_moment(line).date()] > len(days) - window]

        long = last(180)
        units, (priced, spent) = sum(_whole(line["quantity"]) for line in long), _spent(long)
        prices = [_money(line["price"]) for line in lines if line["price"] is not None]
        price = float(prices[-1]) if prices else 0.0
        asked = sum(
            quantity
            for owner, at, quantity in self.returns
            if owner == product and self.seen(moment, at) and sum(day <= at.date() for day in days) > len(days) - 180
        )
        numbers = [number[_moment(line).date()] for line in lines]
        known = product in self.categories and self.seen(moment, START)
        return {
            "product__orders_7d": len({line["order_id"] for line in last(7)}),
            "product__orders_30d": len({line["order_id"] for line in last(30)}),
            "product__units_30d": sum(_whole(line["quantity"]) for line in last(30)),
            "product__buyers_90d": len({line["user_id"] for line in last(90)} - {None}),
            "product__orders_total": len({line["order_id"] for line in lines}),
            "product__units_total": sum(_whole(line["quantity"]) for line in lines),
            "product__price": price,
            "product__price_ratio_180d": price / (float(spent) / float(priced)) if priced else 1.0,
            "product__return_rate_180d": min(float(asked) / float(units), 1.0) if units else 0.0,
            "product__in_stock": sum(
                change for owner, at, change in self.stock if owner == product and self.seen(moment, at)
            )
            > 0,
            "product__first_order_day": min(numbers, default=0),
            "product__last_order_day": max(numbers, default=0),
            "product__category_id": self.categories[product] if known else "",
            "shop__trading_day": len(days),
            "product__days_since_first_order": len(days) - min(numbers, default=0),
            "product__days_since_last_order": len(days) - max(numbers, default=0),
        }

    def user(self, user: str, moment: datetime) -> Answer:
        days = self.trading_days(moment)
        lines = [line for line in self.lines if line["user_id"] == user and self.seen(moment, _moment(line))]
        products = [str(line["product_id"]) for line in lines]
        orders = len({line["order_id"] for line in lines})
        priced_orders = len({line["order_id"] for line in lines if line["amount"] is not None})
        units, spent = _spent(lines)
        last = days.index(_moment(lines[-1]).date()) + 1 if lines else 0
        return {
            "user__orders_365d": orders,
            "user__distinct_products_365d": len(set(products)),
            "user__orders_total": orders,
            "user__mean_price_365d": float(spent) / float(units) if units else 0.0,
            "user__mean_order_value_365d": float(spent) / float(priced_orders) if priced_orders else 0.0,
            "user__last_order_day": last,
            "user__sequence": tuple(products[-50:]),
            "user__bought": tuple(dict.fromkeys(products))[-500:],
            "user__days_since_last_order": len(days) - last,
        }


def _spent(lines: list[Row]) -> tuple[int, Decimal]:
    """Units and amount of the lines that have a rate to the shop's currency."""
    rated = [line for line in lines if line["amount"] is not None]
    return sum(_whole(line["quantity"]) for line in rated), sum((_money(line["amount"]) for line in rated), Decimal(0))


def _mismatches(frame: pl.DataFrame, oracle: Oracle) -> list[tuple[object, ...]]:
    return list(_compare(frame, oracle))


def _compare(frame: pl.DataFrame, oracle: Oracle) -> Iterator[tuple[object, ...]]:
    for row in frame.iter_rows(named=True):
        moment = row[EVENT_TIMESTAMP]
        expected = oracle.product(row["product_id"], moment) | oracle.user(row["user_id"], moment)
        for name, value in expected.items():
            found = tuple(row[name]) if isinstance(value, tuple) else row[name]
            if found != value or type(found) is not type(value):
                yield name, row["product_id"], row["user_id"], moment, found, value


def _moment(row: Row) -> datetime:
    at = row.get("at", row["created_at"])
    assert isinstance(at, datetime)
    return at


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _money(value: object) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def _plain(value: Value) -> object:
    return list(value) if isinstance(value, tuple) else value
