"""What becomes a purchase, what does not, and what a fit at a split time may see."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from features.asof import StoredRows
from features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from tests.unit.training.orders import DAYS, START, features, lines, products, shop
from training.data.cleaning import is_product_title
from training.data.datasets import GUEST, BadTrainingData, events_from_frame
from training.data.readers import training_data
from training.data.splits import basket_cases, leave_one_out, split_times, time_split


@pytest.mark.parametrize(
    "title",
    ["POSTAGE", "Manual", "DOTCOM POSTAGE", "Bank Charges", "damages?", "??", "wrongly coded 20713", "AMAZON FEE"],
)
def test_fees_and_stock_notes_are_no_products(title: str) -> None:
    assert not is_product_title(title)


@pytest.mark.parametrize(
    "title", ["PAPER BUNTING RETROSPOT", "VINTAGE POST OFFICE CABINET", "BLUE CHECK BAG", "CREAM HEART CARD HOLDER", ""]
)
def test_products_stay_products(title: str) -> None:
    assert is_product_title(title)


def test_cancellations_guests_and_fees() -> None:
    one = lines().head(6).with_columns(is_cancelled=pl.Series([False, True, False, False, False, False]))
    data = training_data("six lines", one, products(), 0, None)

    assert data.dropped == {"cancelled_or_not_positive": 1, "not_a_product": 2}
    assert len(data.events) == 3
    assert set(data.events.user.tolist()) == {GUEST}
    assert not data.catalog.recommendable[data.catalog.index["postage"]]


def test_lines_of_one_product_in_one_order_are_one_purchase() -> None:
    twice = pl.concat([lines().head(1), lines().head(1)])

    events, _, _ = events_from_frame(twice, shop().catalog)

    assert len(events) == 1
    assert events.quantity.tolist() == [2.0]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(BadTrainingData, match="ordered_at"):
        training_data("broken", lines().drop("ordered_at"), products(), 0, None)


def test_nothing_after_the_cut_enters_training() -> None:
    data = shop()
    start, end = split_times(data.events)

    split = time_split(data)

    assert split.train.time.max() < start < end
    assert split.before_test.time.max() < end
    assert split.validation.moment == start
    assert split.test.moment == end
    future = {
        (int(u), int(i))
        for u, i in zip(data.events.between(start, 1e9).user, data.events.between(start, 1e9).item, strict=True)
    }
    past = {(int(u), int(i)) for u, i in zip(split.train.user, split.train.item, strict=True)}
    for case in range(len(split.validation)):
        user = int(split.validation.users[case])
        assert all((user, int(item)) in past for item in split.validation.history.of(case))
        assert all((user, int(item)) in future - past for item in split.validation.targets.of(case))


def test_a_feature_of_the_future_is_not_seen() -> None:
    table = features()
    moment = 25.0 + (START.timestamp() / 86_400)
    late = pl.DataFrame(
        {
            "product_id": ["p000"],
            EVENT_TIMESTAMP: [START + timedelta(days=25, seconds=1)],
            CREATED_TIMESTAMP: [START + timedelta(days=25, seconds=1)],
            "product__orders_7d": [10**6],
            "product__price": [1e6],
        }
    )
    rows = table.stored.tables["features_product"]
    planted = pa.concat_tables([rows, late.to_arrow().select(rows.column_names).cast(rows.schema)])
    poisoned = replace(table, stored=StoredRows({**table.stored.tables, "features_product": planted}))

    assert np.array_equal(poisoned.as_of("product", ["p000"], moment), table.as_of("product", ["p000"], moment))
    # the negative control: one second later the planted value is there
    assert poisoned.as_of("product", ["p000"], moment + 2 / 86_400)[0, 0] == 10**6


def test_unknown_entities_get_defaults() -> None:
    assert features().as_of("user", ["nobody", ""], START.timestamp() / 86_400 + DAYS).tolist() == [[0.0], [0.0]]


def test_leave_one_out_hides_the_last_two() -> None:
    data = shop()

    split = leave_one_out(data.events)

    case = 0
    rows = np.flatnonzero(data.events.user == split.test.users[case])
    assert split.test.targets.of(case).tolist() == [data.events.item[rows[-1]]]
    assert data.events.item[rows[-2]] in split.test.history.of(case)


def test_a_hidden_basket_line_is_not_among_the_shown() -> None:
    data = shop()

    cases = basket_cases(data.events, data.events.time > 0, 1, 50)

    assert len(cases) == 50
    for case in range(50):
        assert not set(cases.targets.of(case)) & set(cases.history.of(case))
