"""What the outside may know of the running process: one small JSON file, replaced atomically."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from warehouse.lake.lsn import format_lsn


def write_status(
    path: Path, *, state: str, lsn: int, lag_bytes: int | None, lag_seconds: float | None, stopped: dict[str, str], error: str | None = None
) -> None:
    """``state`` is one of starting, snapshot, streaming, waiting, failed, stopped; lags are None when the server cannot be asked."""
    document = {
        "pid": os.getpid(),
        "state": state,
        "lsn": format_lsn(lsn),
        "lagBytes": lag_bytes,
        "lagSeconds": None if lag_seconds is None else round(lag_seconds, 3),
        "stoppedTables": stopped,
        "error": error,
        "updatedAt": datetime.now(UTC).isoformat(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(document), encoding="utf-8")
    partial.replace(path)
