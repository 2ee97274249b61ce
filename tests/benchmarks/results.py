"""The format of a measured figure, and the files that store it."""

import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"


def record(
    benchmark: str,
    name: str,
    *,
    ours: float,
    limit: float | None,
    unit: str,
    lower_is_better: bool = False,
    **extra: object,
) -> dict[str, object]:
    """Print one JSON line and append it to docs/results/BENCHMARK.jsonl.

    `ours` and `limit` share `unit`. `limit` is the reference, measured in the same run (None without a reference).
    `ratio` is ours / limit, or limit / ours for costs (`lower_is_better`): 1.0 equals the limit, and more is better.
    """
    ratio = None
    if limit and ours:
        ratio = round(limit / ours if lower_is_better else ours / limit, 3)
    line: dict[str, object] = {
        "name": name,
        "ours": round(ours, 4),
        "limit": None if limit is None else round(limit, 4),
        "unit": unit,
        "ratio": ratio,
    }
    line |= extra | {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": _commit(), "machine": _machine()}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / f"{benchmark}.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    return line


def latest(benchmark: str) -> dict[str, dict[str, object]]:
    """The newest line per name, oldest name first; empty when it has not run."""
    path = RESULTS / f"{benchmark}.jsonl"
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return {str(line["name"]): line for line in lines}


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def machine(cpuinfo: str, memory_bytes: int) -> str:
    """A machine in words, from the text of /proc/cpuinfo."""
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    named = [f"{os.cpu_count()} cores", platform.machine(), *([model[1].strip()] if model else [])]
    return ", ".join([*named, f"{memory_bytes / 1024**3:.0f} GiB memory"])


@cache
def _machine() -> str:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return machine(Path("/proc/cpuinfo").read_text(encoding="utf-8"), pages * size)
