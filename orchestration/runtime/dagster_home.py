"""Dagster's configuration files, written before Dagster starts."""

from pathlib import Path

from orchestration.graph.queues import DATA, QUEUE, TRAINING
from warehouse.files import replace_file

_INSTANCE = f"""\
# Written at every start.
storage:
  custom:
    module: orchestration.graph.storage
    class: KeptPostgresStorage
    config:
      postgres_url:
        env: DAGSTER_DATABASE_URL
telemetry:
  enabled: false
# One run that makes tables and one that trains: neither waits for the other. The third place is for housekeeping.
concurrency:
  runs:
    max_concurrent_runs: 3
    tag_concurrency_limits:
      - {{key: "{QUEUE}", value: "{DATA}", limit: 1}}
      - {{key: "{QUEUE}", value: "{TRAINING}", limit: 1}}
# A run that never began is failed by the daemon; one whose process was killed, by orchestration.graph.dead_runs.
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
# A run whose process ended is started once more, at the step it was in. A step that failed has its own retries.
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false
# Ticks of schedules and sensors, in days. Runs and their events: orchestration.graph.retention.
retention:
  schedule: {{purge_after_days: {{skipped: 1, success: 14, failure: 14, started: 14}}}}
  sensor: {{purge_after_days: {{skipped: 1, success: 3, failure: 14, started: 14}}}}
  auto_materialize: {{purge_after_days: {{skipped: 1, success: 3, failure: 14, started: 14}}}}
freshness:
  enabled: true
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
    """dagster.yaml (storage in Postgres, queues, retention, telemetry off) and workspace.yaml (the one code server)."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "dagster.yaml", _INSTANCE, mode=0o600)
    replace_file(folder / "workspace.yaml", _WORKSPACE.format(port=code_port), mode=0o600)
