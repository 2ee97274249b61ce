"""Parquet of another engine as a Delta table, and back."""

import os
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from warehouse.lake.derived import commit_files, derived_files, derived_uri, read_derived, read_metadata
from warehouse.lake.fold import forget
from warehouse.lake.watermark import LakeStateError

SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("pairs", pa.int64()),
        ("revenue", pa.decimal128(12, 2)),
        ("items", pa.list_(pa.string())),
        ("at", pa.timestamp("us", "UTC")),
    ]
)


def _write(lake: Path, name: str, rows: list[dict[str, object]]) -> Path:
    path = Path(derived_uri(lake, "co_purchase")) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    return path


def _row(product: str, pairs: int) -> dict[str, object]:
    return {"product": product, "pairs": pairs, "revenue": Decimal("1.10"), "items": [product, "x"], "at": None}


def test_overwrite_append_and_time_travel(tmp_path: Path) -> None:
    first = commit_files(
        tmp_path, "co_purchase", [_write(tmp_path, "a.parquet", [_row("a", 1)])], SCHEMA, metadata={"lsn": "12"}
    )
    second = commit_files(
        tmp_path, "co_purchase", [_write(tmp_path, "b.parquet", [_row("b", 2)])], SCHEMA, metadata={"lsn": "34"}
    )
    third = commit_files(
        tmp_path, "co_purchase", [_write(tmp_path, "c.parquet", [_row("c", 3)])], SCHEMA, mode="append"
    )
    assert (first, second, third) == (0, 1, 2)
    assert read_derived(tmp_path, "co_purchase", first).to_pylist() == [_row("a", 1)]
    assert read_derived(tmp_path, "co_purchase", second).to_pylist() == [_row("b", 2)]
    assert read_derived(tmp_path, "co_purchase").to_pylist() == [_row("b", 2), _row("c", 3)]
    assert [Path(file).name for file in derived_files(tmp_path, "co_purchase")] == ["b.parquet", "c.parquet"]
    assert DeltaTable(derived_uri(tmp_path, "co_purchase")).to_pyarrow_table().num_rows == 2


def test_the_metadata_of_the_commit_is_kept(tmp_path: Path) -> None:
    commit_files(
        tmp_path, "co_purchase", [_write(tmp_path, "a.parquet", [_row("a", 1)])], SCHEMA, metadata={"lsn": "12"}
    )
    version, metadata = read_metadata(tmp_path, "co_purchase")
    assert (version, metadata["lsn"]) == (0, "12")


def test_a_vacuum_in_between_does_not_hide_the_metadata(tmp_path: Path) -> None:
    commit_files(
        tmp_path, "co_purchase", [_write(tmp_path, "a.parquet", [_row("a", 1)])], SCHEMA, metadata={"lsn": "12"}
    )
    commit_files(
        tmp_path, "co_purchase", [_write(tmp_path, "b.parquet", [_row("b", 2)])], SCHEMA, metadata={"lsn": "34"}
    )
    table = DeltaTable(derived_uri(tmp_path, "co_purchase"))
    assert table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False) == ["a.parquet"]
    assert DeltaTable(derived_uri(tmp_path, "co_purchase")).history(1)[0]["operation"] == "VACUUM END"

    version, metadata = read_metadata(tmp_path, "co_purchase")

    assert (version, metadata["lsn"]) == (1, "34")
    assert read_derived(tmp_path, "co_purchase", version).to_pylist() == [_row("b", 2)]


def test_what_a_killed_run_left_goes_once_it_is_old(tmp_path: Path) -> None:
    kept = _write(tmp_path, "a.parquet", [_row("a", 1)])
    commit_files(tmp_path, "co_purchase", [kept], SCHEMA)
    old, young = (_write(tmp_path, f"run-{name}/part.parquet", [_row("b", 2)]) for name in ("old", "young"))
    os.utime(old, (time.time() - 25 * 3600,) * 2)

    forget(DeltaTable(derived_uri(tmp_path, "co_purchase")), retention_hours=24)

    assert (kept.exists(), old.exists(), young.exists()) == (True, False, True)


def test_wrong_columns_and_foreign_files_commit_nothing(tmp_path: Path) -> None:
    file = _write(tmp_path, "a.parquet", [_row("a", 1)])
    wrong = pa.schema([pa.field("product", pa.int64())])
    with pytest.raises(ValueError, match=r"a\.parquet, column product: string, expected int64"):
        commit_files(tmp_path, "co_purchase", [file], wrong)
    elsewhere = tmp_path / "elsewhere.parquet"
    file.rename(elsewhere)
    with pytest.raises(ValueError, match="does not lie under"):
        commit_files(tmp_path, "co_purchase", [elsewhere], SCHEMA)
    with pytest.raises(LakeStateError, match="never written"):
        read_derived(tmp_path, "co_purchase")
