"""What the shop shows of change capture's own report."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.kernel.lake_report import LakeReport, read_report, render_metrics


def write(home: Path, **more: object) -> None:
    (home / "run").mkdir(parents=True, exist_ok=True)
    document = {"updatedAt": datetime.now(UTC).isoformat(), "state": "streaming", **more}
    (home / "run" / "cdc-status.json").write_text(json.dumps(document), encoding="utf-8")


def test_lag_stopped_tables_and_slot_are_metrics(tmp_path: Path) -> None:
    write(
        tmp_path,
        lagSeconds=0.5,
        lagBytes=100,
        stoppedTables={"returns": "table returns, column x: NaN"},
        tables={
            "orders": {"lagSeconds": 0.5},
            "returns": {"lagSeconds": 90.0, "stoppedAt": "2026-06-01T10:00:00+00:00", "stopped": "NaN"},
        },
        slot={"retainedBytes": 4096, "usedPercent": 1.5},
        snapshots=3,
    )
    lines = render_metrics(tmp_path).decode().split("\n")
    assert {
        "souk_cdc_lag_seconds 0.5",
        "souk_cdc_lag_bytes 100.0",
        "souk_cdc_slot_retained_bytes 4096.0",
        "souk_cdc_slot_used_percent 1.5",
        "souk_cdc_stopped_tables 1.0",
        "souk_cdc_snapshots_total 3.0",
        'souk_cdc_table_lag_seconds{table="orders"} 0.5',
        'souk_cdc_table_lag_seconds{table="returns"} 90.0',
    } <= set(lines)
    assert read_report(tmp_path).stopped == {"returns": datetime(2026, 6, 1, 10, tzinfo=UTC)}


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"updatedAt": "yesterday"}', '{"updatedAt": 1, "tables": 3}'])
def test_no_report_or_a_damaged_one_is_an_empty_report(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "cdc-status.json").write_text(text, encoding="utf-8")
    assert read_report(tmp_path) == LakeReport()
    assert render_metrics(tmp_path) == b""
