"""The as-of read on rows small enough to check by eye."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.asof import StoredRows, complete, numbers
from features.columns import BY_NAME, COLUMNS, CREATED_TIMESTAMP, EVENT_TIMESTAMP, KEYS, Value, columns_of, entity_of

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def rows(model: str, *values: tuple[str, int, dict[str, object]], built: datetime = DAY) -> pa.Table:
    """Rows of one model: (id, days after DAY, its columns); defaults elsewhere."""
    defaults = {column.name: column.default for column in columns_of(model)}
    return pa.Table.from_pylist(
        [
            {KEYS[entity_of(model)]: key, EVENT_TIMESTAMP: DAY + timedelta(days=day), CREATED_TIMESTAMP: built}
            | defaults
            | own
            for key, day, own in values
        ]
    )


@pytest.fixture
def stored() -> StoredRows:
    """A shop on its 10th and, two days later, 12th trading day; p1 last ordered on the 9th and the 12th, u1 on the
    8th."""
    return StoredRows(
        {
            "features_product": rows(
                "features_product",
                ("p1", 2, {"product__orders_7d": 5, "product__last_order_day": 12}),
                ("p1", 0, {"product__orders_7d": 4, "product__last_order_day": 9}),
            ),
            "features_user": rows("features_user", ("u1", 0, {"user__last_order_day": 8})),
            "features_user_history": rows("features_user_history", ("u1", 0, {"user__sequence": ["p1", "p1"]})),
            "features_shop": rows(
                "features_shop", ("souk", 0, {"shop__trading_day": 10}), ("souk", 2, {"shop__trading_day": 12})
            ),
        }
    )


def test_the_newest_row_up_to_the_instant_counts_the_instant_included(stored: StoredRows) -> None:
    name = "product__orders_7d"

    found = [
        stored.as_of("product", ["p1"], DAY + timedelta(days=day), [name])[name].to_pylist() for day in (-1, 0, 1, 2, 3)
    ]

    assert found == [[0], [4], [4], [5], [5]]
    assert stored.as_of("product", ["p1"])[name].to_pylist() == [5]


def test_of_two_rows_of_one_instant_the_one_computed_later_counts() -> None:
    name = "product__orders_7d"
    first = rows("features_product", ("p1", 0, {name: 1}), built=DAY + timedelta(days=1))
    second = rows("features_product", ("p1", 0, {name: 2}), built=DAY)

    both = StoredRows({"features_product": pa.concat_tables([first, second])})

    assert both.as_of("product", ["p1"], names=[name])[name].to_pylist() == [1]


@pytest.mark.parametrize("published", [True, False])
def test_files_in_any_order_of_rows_are_read_alike(tmp_path: Path, published: bool) -> None:
    """published: ordered by entity and time, as a build writes them. Row groups hold parts of an entity's rows."""
    name, model, ids = "product__orders_7d", "features_product", ["p2", "p0", "none", "p1"]
    drawn: list[tuple[str, int, dict[str, object]]] = [
        (f"p{number}", day, {name: 10 * number + day}) for number in range(3) for day in range(number, 7)
    ]
    table = rows(model, *(drawn if published else random.Random(3).sample(drawn, len(drawn))))
    pq.write_table(table, tmp_path / f"{model}.parquet", row_group_size=4)

    stored, newest = StoredRows.read(tmp_path, [model]), StoredRows.read_newest(tmp_path, [model])

    assert newest.as_of("product", ids).equals(stored.as_of("product", ids))
    assert newest.as_of("product", ids)[name].to_pylist() == [26, 6, 0, 16]
    assert stored.as_of("product", ids, DAY + timedelta(days=1))[name].to_pylist() == [0, 1, 0, 11]
    assert newest.tables[model].num_rows == 3
    assert sorted(newest.newest(model)[KEYS["product"]].to_pylist()) == ["p0", "p1", "p2"]


def test_days_since_something_are_counted_when_they_are_read(stored: StoredRows) -> None:
    at = DAY + timedelta(days=1)

    assert stored.as_of("product", ["p1"], at)["product__days_since_last_order"].to_pylist() == [1]
    assert stored.as_of("user", ["u1"], at)["user__days_since_last_order"].to_pylist() == [2]
    assert stored.as_of("user", ["u1"])["user__days_since_last_order"].to_pylist() == [4]


def test_of_an_entity_without_a_row_the_defaults_are_known_and_the_shop_s_clock_runs(stored: StoredRows) -> None:
    unknown = stored.as_of("user", ["nobody", "u1", ""])

    assert unknown["user__days_since_last_order"].to_pylist() == [12, 4, 12]
    assert unknown["user__orders_total"].to_pylist() == [0, 0, 0]
    assert unknown["user__sequence"].to_pylist() == [[], ["p1", "p1"], []]
    assert stored.as_of("product", ["none"])["product__days_since_first_order"].to_pylist() == [12]


def test_answers_follow_the_question_s_order_and_the_list_s_columns(stored: StoredRows) -> None:
    frame = stored.as_of("product", ["p2", "p1", "p2"])

    assert frame.column_names == [column.name for column in COLUMNS if column.entity == "product"]
    assert frame["product__orders_7d"].to_pylist() == [0, 5, 0]
    assert sum(column.null_count for column in frame.columns) == 0


def test_one_row_and_a_frame_say_the_same(stored: StoredRows) -> None:
    shop = stored.shop()
    row: dict[str, Value | None] = {"user__last_order_day": 8, "user__sequence": ("p1", "p1")}

    nothing: dict[str, Value | None] = {}
    for kept, key in ((row, "u1"), (nothing, "nobody")):
        frame = stored.as_of("user", [key]).to_pylist()[0]
        assert {name: list(v) if isinstance(v, tuple) else v for name, v in complete("user", kept, shop).items()} == (
            frame
        )


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_null_and_not_a_number_are_not_stored(missing: float | None) -> None:
    name = "product__price_ratio_180d"
    stored = StoredRows({"features_product": rows("features_product", ("p1", 0, {name: missing}))})

    assert stored.as_of("product", ["p1"], names=[name])[name].to_pylist() == [1.0]
    assert complete("product", {name: missing}, {})[name] == 1.0


def test_before_anything_was_built_everything_is_the_default() -> None:
    nothing = StoredRows({})

    assert (
        nothing.as_of("user", ["a", "b"]).to_pylist()
        == [{name: list(v) if isinstance(v, tuple) else v for name, v in complete("user", {}, {}).items()}] * 2
    )
    assert nothing.shop() == {"shop__trading_day": 0}


def test_a_model_takes_the_numbers_of_a_row() -> None:
    found = numbers("user", complete("user", {"user__orders_total": 3}, {"shop__trading_day": 7}))

    assert found["user__orders_total"] == 3.0
    assert found["user__days_since_last_order"] == 7.0
    assert {BY_NAME[name].dtype for name in found} <= {"int64", "float64", "bool"}
