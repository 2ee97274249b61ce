"""Ids by the column are valid UUIDv7, carry their row's time, and are the same every time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import polars as pl

from api.operations.load.ids import Ids

AT = datetime(2011, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)


def columns(name: str, kind: str, count: int = 1000) -> list[str]:
    keys = pl.Series(range(count))
    times = pl.Series([AT + timedelta(seconds=i) for i in range(count)], dtype=pl.Datetime("us", "UTC"))
    return Ids(name).column(kind, keys, times).to_list()


def test_ids_are_version_7_of_their_rows_time() -> None:
    ids = [UUID(text) for text in columns("set", "order")]

    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert [one.int >> 80 for one in ids] == [int((AT + timedelta(seconds=i)).timestamp() * 1000) for i in range(1000)]
    assert len(set(ids)) == 1000


def test_the_same_key_gives_the_same_id_and_another_set_or_kind_another() -> None:
    assert columns("set", "order") == columns("set", "order")
    assert not set(columns("set", "order")) & set(columns("set", "line"))
    assert not set(columns("set", "order")) & set(columns("other", "order"))


def test_fractions_are_uniform_enough_and_below_one() -> None:
    numbers = Ids("set").fraction("x", pl.Series(range(100_000)))

    assert 0 <= numbers.min() < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005
