"""What `souk status` says of marts that are old: why, and since when."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.runtime.config import Config
from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import Machine
from orchestration.runtime.status import marts_status
from orchestration.settings import Settings

SINCE, AS_OF = "2026-03-02T10:00:00+00:00", "2026-03-01T12:00:00+00:00"
BUILD = {"failures": 3, "failingSince": SINCE, "error": "a model failed"}
FAILS = {"failingSince": SINCE, "error": "a test failed", "needsBuild": "a test failed", "behindSince": SINCE}
WAITS = {"behindSince": SINCE, "needsBuild": "the models have changed"}


@pytest.mark.parametrize(
    ("build", "refreshes", "age", "why"),
    [
        (BUILD, FAILS, 0, f"3 refreshes failed since {SINCE}: a model failed"),
        ({}, FAILS, 0, f"refreshes fail since {SINCE}: a test failed"),
        ({}, WAITS, 0, f"refreshes wait for a full build since {SINCE}: the models have changed"),
        ({}, WAITS, 61, None),  # its process is gone: the section's health says so
        ({}, WAITS | {"behindSince": None}, 0, None),
        ({"failures": 0}, {"behindSince": SINCE, "needsBuild": None}, 0, None),
    ],
)
def test_marts_that_are_old_say_why(
    build: dict[str, object], refreshes: dict[str, object], age: int, why: str | None, tmp_path: Path
) -> None:
    layout = Layout(tmp_path)
    layout.create()
    machine = Machine(Settings.model_validate({"SOUK_HOME": str(tmp_path)}), layout, Config().with_free_ports()[0])
    marts = machine.settings.marts_path
    marts.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(marts)) as connection:
        connection.execute(f"create table mart_watermark as select timestamptz '{AS_OF}' as as_of")
    updated = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    marts.with_name("refresh.json").write_text(json.dumps(build))
    (layout.run / "marts-status.json").write_text(json.dumps({"updatedAt": updated} | refreshes))

    found = marts_status(machine)

    assert (found["why"], found["oldSince"]) == (why, AS_OF if why else None)
