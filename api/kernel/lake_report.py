"""What change capture last reported of itself: `run/cdc-status.json` in SOUK_HOME, written by `warehouse.cdc`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.kernel import clock


@dataclass(frozen=True)
class LakeReport:
    """Empty when change capture never ran on this machine. `stopped`: tables that stand still, since when."""

    age_seconds: float | None = None
    lag_seconds: float | None = None
    lag_bytes: int | None = None
    tables: Mapping[str, float | None] = field(default_factory=dict)
    stopped: Mapping[str, datetime | None] = field(default_factory=dict)
    retained_bytes: int | None = None
    used_percent: float | None = None
    snapshots: int | None = None


def read_report(home: Path) -> LakeReport:
    """Never raises: a file that is not there or not readable is an empty report."""
    try:
        document = json.loads((home / "run" / "cdc-status.json").read_text(encoding="utf-8"))
        return _parse(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return LakeReport()


def _parse(document: Mapping[str, Any]) -> LakeReport:  # Any: the JSON of another process
    tables: Mapping[str, Mapping[str, Any]] = document.get("tables") or {}  # Any: the same JSON
    slot = document.get("slot") or {}
    written = datetime.fromisoformat(document["updatedAt"])
    return LakeReport(
        age_seconds=(clock.now() - written).total_seconds(),
        lag_seconds=document.get("lagSeconds"),
        lag_bytes=document.get("lagBytes"),
        tables={name: table.get("lagSeconds") for name, table in tables.items()},
        stopped={name: _moment(tables.get(name, {}).get("stoppedAt")) for name in document.get("stoppedTables") or {}},
        retained_bytes=slot.get("retainedBytes"),
        used_percent=slot.get("usedPercent"),
        snapshots=document.get("snapshots"),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


class _Metrics(Collector):
    def __init__(self, report: LakeReport) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        report = self._report
        single = {
            "souk_cdc_report_age_seconds": (report.age_seconds, "Seconds since change capture reported"),
            "souk_cdc_lag_seconds": (report.lag_seconds, "Seconds that the lake is behind Postgres"),
            "souk_cdc_lag_bytes": (report.lag_bytes, "Bytes of log that the lake is behind Postgres"),
            "souk_cdc_slot_retained_bytes": (
                report.retained_bytes,
                "Bytes of log that the replication slot holds back",
            ),
            "souk_cdc_slot_used_percent": (report.used_percent, "Part of max_slot_wal_keep_size in use"),
            "souk_cdc_stopped_tables": (len(report.stopped), "Tables of the lake that stand still"),
        }
        for name, (value, text) in single.items():
            if value is not None:
                yield GaugeMetricFamily(name, text, value)
        if report.snapshots is not None:
            yield CounterMetricFamily("souk_cdc_snapshots", "Copies of every table ever taken", report.snapshots)
        lag = GaugeMetricFamily(
            "souk_cdc_table_lag_seconds", "Seconds that a table is behind Postgres", labels=["table"]
        )
        for table, seconds in report.tables.items():
            if seconds is not None:
                lag.add_metric([table], seconds)
        yield lag


def render_metrics(home: Path) -> bytes:
    """The report as Prometheus text; empty when there is none."""
    report = read_report(home)
    if report.age_seconds is None:
        return b""
    registry = CollectorRegistry()
    registry.register(_Metrics(report))
    return generate_latest(registry)
