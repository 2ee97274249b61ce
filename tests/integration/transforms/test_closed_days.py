"""A closed day of a seller changes by restatements only: whatever changes it is published with a row that says so."""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.harness.closed_days import Day, Restated, closed_days, corrections
from tests.harness.lake_history import LakeHistory
from tests.harness.synthetic_lake import START, Row, SyntheticShop, write_lake
from tests.integration.conftest import BuiltMarts, transform_settings, withhold_in
from tests.integration.transforms.test_incremental import _compared, copy_of
from transforms.days import build_days, days_that_differ
from transforms.incremental.corrections import CREATE, correct_as_published
from transforms.incremental.plan import load_plan
from transforms.incremental.refresh import Comparison, _meet, refresh
from transforms.incremental.state import locked
from transforms.marts import build
from transforms.publish import connect
from transforms.publish_marts import publish_marts
from transforms.settings import TransformSettings
from warehouse.lake.read import Watermark


@pytest.fixture
def history(built_marts: BuiltMarts, tmp_path: Path) -> LakeHistory:
    return copy_of(built_marts, tmp_path)


def _read(marts: Path, query: str) -> list[tuple[object, ...]]:
    with connect(marts, read_only=True) as con:
        return con.execute(query).fetchall()


def _money(value: object) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def _sold(history: LakeHistory) -> tuple[str, str, str]:
    """A product, its variant and its seller."""
    line = history.shop.rows["order_items"][0]
    return str(line["product_id"]), str(line["variant_id"]), str(line["seller_id"])


def _old_order(history: LakeHistory) -> Row:
    """The oldest order that is not cancelled and has no return."""
    returned = {row["order_id"] for row in history.shop.rows["returns"]}
    orders = history.shop.rows["orders"]
    return next(row for row in orders if row["status"] != "cancelled" and row["order_id"] not in returned)


def _more_pieces(history: LakeHistory, order_id: object, pieces: int) -> tuple[Day, Decimal]:
    """What an operator does: an order's first line gets more pieces; the seller's day, and how it changes."""
    order = next(row for row in history.shop.rows["orders"] if row["order_id"] == order_id)
    line = next(row for row in history.shop.rows["order_items"] if row["order_id"] == order_id)
    more = _money(line["price_at_purchase"]) * pieces
    line["quantity"] = int(str(line["quantity"])) + pieces
    line["subtotal"] = _money(line["subtotal"]) + more
    order["subtotal"], order["total"] = _money(order["subtotal"]) + more, _money(order["total"]) + more
    return (str(line["seller_id"]), _day(order["created_at"]), str(order["currency"])), more


def _by_hand(history: LakeHistory, pieces: int = 1) -> tuple[Day, Decimal]:
    """The same for an old order."""
    return _more_pieces(history, _old_order(history)["order_id"], pieces)


def _day(moment: object) -> date:
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC).date()


def _open_day(history: LakeHistory) -> date:
    return _day(history.mark.commit_ts)


@pytest.mark.slow
def test_a_correction_that_is_taken_back_is_a_row_too_and_files_of_days_have_both(
    built_marts: BuiltMarts, history: LakeHistory, tmp_path: Path
) -> None:
    settings, on = transform_settings(tmp_path), _open_day(history)
    shutil.copytree(built_marts.settings.dbt_target, settings.dbt_target)
    before = closed_days(settings.marts_path, on)
    day, amount = _by_hand(history)
    history.commit()
    refresh(settings)
    build_days(settings, day[1], day[1], history.mark)
    assert day[1] not in days_that_differ(settings)
    with patch("transforms.days.correct_as_published"):  # the control
        build_days(settings, day[1], day[1], history.mark)
    assert day[1] in days_that_differ(settings)

    rows = [(*day, on, 0, amount, "corrected")]
    for pieces in (-1, 1):  # both on the next day: their sum, 0, is a row
        history.commit(seconds=86_400 if pieces < 0 else 60)
        refresh(settings)
        _by_hand(history, pieces)
        history.commit()
        refresh(settings)
        assert closed_days(settings.marts_path, on) == before
        net = -amount if pieces < 0 else Decimal("0.00")
        assert corrections(settings.marts_path) == [*rows, (*day, on + timedelta(days=1), 0, net, "corrected")]


def test_without_the_restatement_the_day_would_not_be_what_it_closed_with(history: LakeHistory, tmp_path: Path) -> None:
    """The control of the others."""
    settings, on = transform_settings(tmp_path), _open_day(history)
    before = closed_days(settings.marts_path, on)
    day, amount = _by_hand(history)
    history.commit()
    with patch("transforms.incremental.corrections.note_refresh", return_value=False):
        refresh(settings)

    after = closed_days(settings.marts_path, on)
    assert {key: after[key] - before[key] for key in before if after[key] != before[key]} == {day: amount}


def test_a_day_that_was_not_closed_when_marts_were_published_is_not_restated_and_a_transaction_over_midnight_is(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings, today = transform_settings(tmp_path), _open_day(history)
    midnight = datetime.combine(today + timedelta(days=1), time(), UTC)
    sold, evening = (*_sold(history), 1, "5.00"), midnight - timedelta(seconds=1)
    orders = [row for row in history.shop.rows["orders"] if _day(row["created_at"]) == today]
    _more_pieces(history, orders[0]["order_id"], 1)  # by hand
    history.shop.add_order([sold], evening)  # and the last order of today comes with the first of tomorrow
    history.shop.add_order([sold], midnight)
    history.commit(seconds=(midnight - history.mark.commit_ts).total_seconds() + 30)
    refresh(settings)
    assert corrections(settings.marts_path) == []

    history.shop.add_order([sold], evening)
    history.commit(seconds=30)
    refresh(settings)
    seller = sold[2]
    row = (seller, today, "GBP", today + timedelta(days=1), 0, Decimal("5.00"), "corrected")
    assert corrections(settings.marts_path) == [row]


def test_truncated_tables_leave_a_row_for_every_closed_day(history: LakeHistory, tmp_path: Path) -> None:
    settings, today = transform_settings(tmp_path), _open_day(history)
    before = closed_days(settings.marts_path, today)
    sold = _sold(history)
    history.truncated = ("orders", "order_items", "order_events", "returns", "return_events")
    for table in history.truncated:
        history.shop.rows[table] = []
    history.shop.add_order([(*sold, 1, "5.00")], history.mark.commit_ts)
    history.commit()
    refresh(settings)

    found = corrections(settings.marts_path)
    assert {row[:3]: row[5] for row in found} == {key: -net for key, net in before.items()}
    assert {(row[3], row[6]) for row in found} == {(today, "corrected")}
    assert len(found) == len(before) > 30
    assert closed_days(settings.marts_path, today) == before
    assert _read(settings.marts_path, "SELECT sum(net_sales) FROM mart_seller__sales_day") == [(Decimal("5.00"),)]


@contextmanager
def _private(settings: TransformSettings, folder: Path) -> Iterator[Path]:
    """A finished build's private file that does not know yet what refreshes do meanwhile: a copy of the state."""
    private = folder / "private" / "souk.duckdb"
    private.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(settings.state_path, private)
    with connect(private) as con:
        con.execute("UPDATE refresh.state SET id = uuid()::VARCHAR")
    yield private
    private.unlink(missing_ok=True)


def _finish(settings: TransformSettings, private: Path, mark: Watermark) -> Comparison:
    """What a build does with its private file, without dbt."""
    with connect(private) as con, locked(settings) as path:
        plan = load_plan(con)
        comparison = _meet(con, plan, settings, path, mark)
        publish_marts(con, plan, settings.marts_path)
        con.close()
        private.replace(path)
    return comparison


def test_what_an_operator_corrects_is_restated_by_the_refresh_that_publishes_it_and_builds_equal_that(
    history: LakeHistory, tmp_path: Path
) -> None:
    """The build began before the correction."""
    settings, on, earlier = transform_settings(tmp_path), _open_day(history), history.mark
    before = closed_days(settings.marts_path, on)
    with _private(settings, tmp_path) as private:
        day, amount = _by_hand(history)
        history.commit()
        refresh(settings)
        rows = [(*day, on, 0, amount, "corrected")]
        assert corrections(settings.marts_path) == rows
        assert closed_days(settings.marts_path, on) == before
        published = _read(settings.marts_path, "FROM mart_seller__sales_day ORDER BY ALL")

        assert _finish(settings, private, earlier).differing == dict.fromkeys(_compared(settings), 0)
    assert corrections(settings.marts_path) == rows
    assert _read(settings.marts_path, "FROM mart_seller__sales_day ORDER BY ALL") == published


@pytest.mark.slow
def test_what_a_build_withholds_and_what_is_mended_cancel_out(history: LakeHistory, tmp_path: Path) -> None:
    settings, on, order = transform_settings(tmp_path), _open_day(history), _old_order(history)
    before = closed_days(settings.marts_path, on)
    lines: dict[Day, Decimal] = defaultdict(Decimal)
    for line in history.shop.rows["order_items"]:
        if line["order_id"] == order["order_id"]:
            key = (str(line["seller_id"]), _day(order["created_at"]), str(order["currency"]))
            lines[key] += _money(line["subtotal"])
    with _private(settings, tmp_path) as private:
        withhold_in(private, [("order", str(order["order_id"]))])
        assert _finish(settings, private, history.mark).skipped is not None
    gone = [(*key, on, 0, -amount, "withheld") for key, amount in sorted(lines.items())]
    assert corrections(settings.marts_path) == gone
    assert closed_days(settings.marts_path, on) == before

    history.commit(seconds=86_400)
    refresh(settings)
    with _private(settings, tmp_path) as private:
        withhold_in(private, [])
        _finish(settings, private, history.mark)
    back = [(*key, on + timedelta(days=1), 0, amount, "mended") for key, amount in sorted(lines.items())]
    assert corrections(settings.marts_path) == sorted([*gone, *back])
    assert closed_days(settings.marts_path, on) == before


_OTHER_HISTORY = "UPDATE changed.state SET source = '7/1'"
_EARLIER_RELEASE = (
    "ALTER TABLE changed.state DROP source;"
    " CREATE OR REPLACE TABLE mart_seller__restatement AS SELECT * EXCLUDE (cause) FROM mart_seller__restatement"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "known", "redefined"),
    [("", True, 1), (_EARLIER_RELEASE, False, 2), (_OTHER_HISTORY, False, 0)],
    ids=["as it was published", "by an earlier release", "of another Postgres"],
)
def test_a_build_with_other_models_goes_on_from_what_was_published(
    history: LakeHistory, tmp_path: Path, harm: str, known: bool, redefined: int
) -> None:
    """An earlier release knew cancellations alone; with another Postgres history the record starts anew."""
    settings, on = transform_settings(tmp_path), _open_day(history)
    day, amount = _by_hand(history)
    history.commit()
    refresh(settings)
    other = next(key for key in closed_days(settings.marts_path, on) if key != day)
    with connect(settings.marts_path) as con, connect(settings.state_path) as old:
        con.execute(harm or "SELECT 1")
        old.execute("UPDATE refresh.position SET project = 'of other models'")
    begun = tmp_path / "begun.duckdb"
    with connect(begun) as con:
        con.execute(f"CREATE SCHEMA build; {CREATE}")
    correct_as_published(begun, settings.marts_path, "")
    with _private(settings, tmp_path) as private:
        with connect(private) as con:
            con.execute(
                "UPDATE main.mart_seller__sales_day SET net_sales = net_sales + 1, gross_sales = gross_sales + 1"
                " WHERE seller_id = ? AND order_date = ? AND currency = ?",
                [*other],
            )
        comparison = _finish(settings, private, history.mark)

    with connect(begun) as con:
        assert con.execute("SELECT count(*) FROM build.corrections").fetchall() == [(int(known),)]
    assert "models" in str(comparison.skipped)
    first = (*day, on, 0, amount, "corrected" if redefined < 2 else "redefined")
    rows = [first, *([(*other, on, 0, Decimal("1.00"), "redefined")] if redefined else [])]
    assert corrections(settings.marts_path) == sorted(rows)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whole_builds_restate_what_they_withhold_what_was_mended_and_what_was_corrected(tmp_path: Path) -> None:
    """Without refreshes. A wrong subtotal withholds the order of its line; then it is right; then the line has more."""
    settings, shop = transform_settings(tmp_path), SyntheticShop()
    seller = shop.add_seller()
    product, variant = shop.add_product(seller, shop.add_category(), "Lamp")
    for quantity in (2, 1):
        shop.add_order([(product, variant, seller, quantity, "5.00")], START + timedelta(days=1), shop.new_id())
    order, line = shop.rows["orders"][0], shop.rows["order_items"][0]
    day = (START + timedelta(days=1)).date()
    expected: list[Restated] = []
    steps: tuple[tuple[int, str, str, str | None], ...] = (
        (2, "10.00", "", None),
        (3, "10.00", "withheld", "-10.00"),
        (2, "10.00", "mended", "10.00"),
        (3, "15.00", "corrected", "5.00"),
    )
    for number, (quantity, subtotal, cause, amount) in enumerate(steps, start=1):
        line |= {"quantity": quantity, "subtotal": Decimal(subtotal)}
        order |= {"subtotal": Decimal(subtotal), "total": Decimal(subtotal) + Decimal("5.79")}
        at = START + timedelta(days=1 + number)
        write_lake(tmp_path / "lake", shop.rows, lsn=10 * number, as_of=at)
        build(settings)

        if amount is not None:
            expected.append((seller, day, "GBP", at.date(), 0, Decimal(amount), cause))
        assert corrections(settings.marts_path) == expected
        assert closed_days(settings.marts_path, at.date()) == {(seller, day, "GBP"): Decimal("15.00")}
