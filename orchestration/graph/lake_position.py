"""Waits until the lake holds everything that the shop has committed, and counts the rows of each table."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from warehouse.files import read_json
from warehouse.lake.lsn import format_lsn, parse_lsn
from warehouse.lake.read import attach, connect, quote
from warehouse.lake.watermark import Watermark, latest_watermark
from warehouse.settings import WarehouseSettings

_STALE_SECONDS = 60.0
_STUCK_SECONDS = 180.0


class LakeBehind(RuntimeError):
    """The lake does not reach the shop's position. The message says what to start or to inspect."""


@dataclass(frozen=True)
class LakePosition:
    """The lake after it caught up: its watermark, rows by table, seconds of waiting."""

    watermark: Watermark
    rows: dict[str, int]
    waited_seconds: float


def reach_source(settings: WarehouseSettings, *, start_seconds: float = 60.0) -> LakePosition:
    """Wait until the lake's watermark is at or past what Postgres has committed now.

    Waits while the lake advances or CDC's heartbeat is fresh. A CDC that is starting gets `start_seconds`.
    Raises: LakeBehind when CDC is down or failed, or when the lake did not advance for three minutes.
    """
    began = time.monotonic()
    target = _mark_source(settings.source_url)
    moved, reached = began, -1
    while True:
        mark = latest_watermark(settings.lake_uri)
        if mark is not None and mark.lsn >= target:
            return LakePosition(mark, count_rows(settings.lake_uri, mark), round(time.monotonic() - began, 3))
        progress = max(mark.lsn if mark else 0, _written_lsn(settings.status_path))
        if progress > reached:
            moved, reached = time.monotonic(), progress
        problem = (
            _problem(settings.status_path)
            if time.monotonic() - began > start_seconds
            else _failure(settings.status_path)
        )
        if problem or time.monotonic() - moved > max(_STUCK_SECONDS, start_seconds):
            at = mark.lsn_text if mark else "nothing"
            raise LakeBehind(
                f"the lake is at {at}, the shop at {format_lsn(target)}: {problem or 'CDC runs but does not advance'}"
            )
        time.sleep(0.1)


def count_rows(lake: str, mark: Watermark) -> dict[str, int]:
    """Rows of every table at a watermark."""
    with connect() as con:
        attach(con, lake, mark)
        counts = {name: con.execute(f"SELECT count(*) FROM lake.{quote(name)}").fetchone() for name in mark.versions}  # noqa: S608 - quoted names from the contract
    return {name: int(row[0]) if row else 0 for name, row in counts.items()}


def _mark_source(url: str) -> int:
    """Commit a message that CDC will receive, and return its position. Earlier commits have lower positions.

    The server's write position would not do: with synchronous_commit off it is behind the last commit.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select pg_logical_emit_message(true, 'souk.pipeline', '')::text").fetchone()
    return parse_lsn(str(row[0])) if row else 0


def _written_lsn(path: Path) -> int:
    return parse_lsn(str(read_json(path).get("lsn") or "0"))


def _failure(path: Path) -> str | None:
    """The error that CDC reports."""
    status = read_json(path)
    return f"CDC failed: {status.get('error')}" if status.get("state") == "failed" else None


def _problem(path: Path) -> str | None:
    """Why waiting would not help; None when CDC runs."""
    status = read_json(path)
    if not status:
        return f"CDC never ran here (no {path}): `souk up`, or `python -m warehouse.cdc`"
    age = (datetime.now(UTC) - datetime.fromisoformat(str(status["updatedAt"]))).total_seconds()
    if age > _STALE_SECONDS:
        return f"CDC has been silent for {age:.0f} s: `souk status`, `souk logs cdc`, then `souk up`"
    return _failure(path)
