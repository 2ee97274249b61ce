"""A scan has the columns that were asked for, whatever the folders above the files are called; a new base lies in the
order of the changes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse.lake.read import TableFiles, connect, scan_sql, state_sql


def test_the_name_of_a_folder_is_no_column(tmp_path: Path) -> None:
    file = tmp_path / "run=7" / "day=2026-03-10" / "a.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"id": pa.array([1], pa.int64())}), file)
    asked = pa.schema([pa.field("id", pa.int64()), pa.field("note", pa.string())])

    with connect() as con:
        found = con.execute(scan_sql((str(file),), asked)).to_arrow_table()

    assert found.to_pylist() == [{"id": 1, "note": None}]


@pytest.mark.parametrize(("base", "tail"), [(5_000, 1_000), (1_000, 5_000)])
def test_a_base_keeps_its_order_and_changed_rows_follow_in_that_of_their_changes(
    tmp_path: Path, base: int, tail: int
) -> None:
    rng = np.random.default_rng(7)

    def write(name: str, ids: np.ndarray, op: str, first: int) -> tuple[str]:
        count = len(ids)
        rows = {"id": ids, "_op": [op] * count, "_commit_lsn": np.arange(first, first + count), "_ordinal": [1] * count}
        pq.write_table(pa.table(rows), tmp_path / name)
        return (str(tmp_path / name),)

    old = write("base", rng.permutation(base), "i", 1)
    new = write("tail", rng.permutation(tail) + base // 2, "u", 10_001)
    files = TableFiles(pq.read_schema(new[0]), ("id",), old, new, folded_lsn=10_000, lsn=20_000)

    with connect() as con:
        con.execute("SET threads = 1")
        ordered, plain = (con.execute(state_sql(files, in_order=wanted)).to_arrow_table() for wanted in (True, False))

    lsns = ordered["_commit_lsn"].to_numpy()
    assert (np.diff(lsns) > 0).all()
    assert (np.diff(plain["_commit_lsn"].to_numpy()) < 0).any(), "negative control: the order of a join is another"
    assert sorted(ordered["id"].to_pylist()) == sorted(plain["id"].to_pylist()) == [*range(max(base, base // 2 + tail))]
