"""Dagster's configuration files, written before Dagster starts."""

from pathlib import Path

from warehouse.files import replace_file

_INSTANCE = """\
# Written at every start.
storage:
  postgres:
    postgres_url:
      env: DAGSTER_DATABASE_URL
telemetry:
  enabled: false
# One run at a time: a run already uses what cores there are, and two would build the marts at once.
concurrency:
  runs:
    max_concurrent_runs: 1
# A run that never began is failed by the daemon; one whose process was killed, by orchestration.graph.dead_runs.
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
"""

_WORKSPACE = """\
# Written at every start.
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: souk
"""


def write_dagster_home(folder: Path, code_port: int) -> None:
    """dagster.yaml (storage in Postgres, telemetry off) and workspace.yaml (the one code server)."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "dagster.yaml", _INSTANCE, mode=0o600)
    replace_file(folder / "workspace.yaml", _WORKSPACE.format(port=code_port), mode=0o600)
