"""A scan has the columns that were asked for, whatever the folders above the files are called."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.lake.read import connect, scan_sql


def test_the_name_of_a_folder_is_no_column(tmp_path: Path) -> None:
    file = tmp_path / "run=7" / "day=2026-03-10" / "a.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"id": pa.array([1], pa.int64())}), file)
    asked = pa.schema([pa.field("id", pa.int64()), pa.field("note", pa.string())])

    with connect() as con:
        found = con.execute(scan_sql((str(file),), asked)).to_arrow_table()

    assert found.to_pylist() == [{"id": 1, "note": None}]
