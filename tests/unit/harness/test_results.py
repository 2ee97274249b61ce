"""A result line says the machine it was measured on, and a table names every machine of its lines."""

import json
import os
import platform
from pathlib import Path

import pytest

from tests.benchmarks import render, results


def test_a_machine_is_named_by_cores_processor_and_memory() -> None:
    named = results.machine("processor\t: 0\nmodel name\t: Fast (R) CPU\ncache size\t: 1 KB\n", 24 * 1024**3)

    assert named == f"{os.cpu_count()} cores, {platform.machine()}, Fast (R) CPU, 24 GiB memory"
    assert results.machine("", 1024**3) == f"{os.cpu_count()} cores, {platform.machine()}, 1 GiB memory"


def test_a_line_is_stored_with_its_machine_and_a_table_names_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    for name, here in (("one", "an old machine"), ("two", "a new machine"), ("three", "a new machine")):
        monkeypatch.setattr(results, "_machine", lambda here=here: here)
        results.record("x", name, ours=2.0, limit=1.0, unit="s")

    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [line["machine"] for line in lines] == ["an old machine", "a new machine", "a new machine"]
    footer = render.table("x", brief=False).splitlines()[-1]
    assert footer.endswith(", a new machine; an old machine.")
