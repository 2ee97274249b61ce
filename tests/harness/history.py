"""Tiny loaded sets for tests: the real loader as its own process, on real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.api import ROOT
from tests.harness.buying import SANDBOX_KEY
from tests.harness.postgres import migrate_with_alembic

UNTIL = "2026-06-30T12:00:00"
TINY = ("--products", "150", "--shoppers", "80", "--orders", "300", "--until", UNTIL)


def load(database_url: str, *arguments: str, sandbox_url: str | None = None, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`python -m api.load ARGUMENTS --json`; without a sandbox URL also `--no-gateway`."""
    env = {**os.environ, "DATABASE_URL": database_url, "SOUK_SANDBOX_KEY": SANDBOX_KEY}
    env |= {"SOUK_SANDBOX_URL": sandbox_url} if sandbox_url else {}
    env |= {"SOUK_HOME": str(home)} if home else {}
    extra = () if sandbox_url else ("--no-gateway",)
    command = [sys.executable, "-m", "api.load", *arguments, *extra, "--json"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=600)


def loaded(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The summary of a load that must have succeeded."""
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def tiny_marketplace(database_url: str) -> None:
    """Schema and a tiny marketplace, for use as a template: `postgres_server.fresh_database(tiny_marketplace)`."""
    migrate_with_alembic(database_url)
    loaded(load(database_url, "marketplace", *TINY))
