"""`refresh.json` next to the marts: how the last build ended, and since when builds fail.

`souk status` and the seller's page read it, so that old figures are never shown as new ones.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from transforms.errors import TransformError
from warehouse.files import read_json, replace_file


@contextmanager
def recorded(path: Path, lsn_text: str, began: datetime) -> Iterator[None]:
    """Record the end of one build, also of one that fails; the error goes on."""
    try:
        yield
    except (TransformError, duckdb.Error, OSError) as error:
        earlier = read_record(path)
        failures = earlier.get("failures") or 0
        assert isinstance(failures, int)
        since = earlier.get("failingSince") or began.isoformat()
        _write(path, lsn_text, failingSince=since, failures=failures + 1, error=str(error))
        raise
    _write(path, lsn_text, failingSince=None, failures=0, error=None)


def read_record(path: Path) -> dict[str, object]:
    """What the last build wrote; empty before the first one."""
    return read_json(path)


def _write(path: Path, lsn_text: str, **values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ended = datetime.now(UTC).isoformat()
    replace_file(path, json.dumps({"lsn": lsn_text, "endedAt": ended, **values}, indent=1), durable=False)
