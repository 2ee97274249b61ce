"""`python -m orchestration.graph.pipeline`: runs every step once, in this process, as one run in Dagster's pages.

When a run failed or was killed, the next call within an hour continues at the failed step; `--from-start` runs every
step again.
"""

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer
from rich.console import Console

from orchestration.graph.dead_runs import fail_dead_runs
from orchestration.graph.queues import DATA, at_work
from orchestration.graph.run_progress import RunProgress, failed_steps, step_seconds
from warehouse.command import Json, program

if TYPE_CHECKING:
    import dagster as dg

_TAG = "souk/pipeline"
_QUIET = {
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}
}  # RunProgress prints the same as a line per step
_RESUME_WITHIN = timedelta(hours=1)
_POLL_SECONDS = 1.0
err = Console(stderr=True)


@dataclass(frozen=True)
class PipelineResult:
    """The result of one call.

    `seconds`: by step, in order. `failed`: step -> error message. `resumed`: whether it continued an earlier run.
    """

    run_id: str
    job: str
    success: bool
    resumed: bool
    steps: dict[str, float]
    failed: dict[str, str]
    seconds: float


def run_pipeline(
    job_name: str = "everything", *, from_start: bool = False, definitions: "dg.Definitions | None" = None
) -> PipelineResult:
    """Run a job in this process on the instance of DAGSTER_HOME and report each step on stderr.

    Without DAGSTER_HOME the instance is temporary. Failures of the job are in the result, not raised.
    """
    began = time.monotonic()
    job = (definitions or _product()).resolve_job_def(job_name)
    with open_instance() as instance:
        _wait_for_others(instance)
        earlier = None if from_start else _unfinished(instance, job_name)
        left = _left_over(instance, earlier, job) if earlier else None
        run_id = str(uuid4())
        tags = {_TAG: job_name} | ({"souk/continues": earlier.run_id} if earlier else {})
        if earlier:
            err.print(f"  continuing run {earlier.run_id[:8]}: {len(left or [])} assets are left", highlight=False)
        with RunProgress(instance, run_id, err):
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                run_config=_QUIET,
                tags=tags,
                asset_selection=left,
                raise_on_error=False,
            )
        steps, failed = step_seconds(instance, run_id), failed_steps(instance, run_id)
    return PipelineResult(
        run_id, job_name, result.success, earlier is not None, steps, failed, round(time.monotonic() - began, 1)
    )


def _product() -> "dg.Definitions":
    """The product's graph. It takes seconds to import, so the arguments are parsed first."""
    from orchestration.graph.definitions import defs

    return defs


def open_instance() -> "dg.DagsterInstance":
    """The instance of DAGSTER_HOME when that is set up, so that the run appears in Dagster's pages."""
    import dagster as dg

    home = os.environ.get("DAGSTER_HOME", "")  # Dagster's variable, read as Dagster reads it
    return (
        dg.DagsterInstance.get() if home and (Path(home) / "dagster.yaml").is_file() else dg.DagsterInstance.ephemeral()
    )


def _wait_for_others(instance: "dg.DagsterInstance") -> None:
    """Wait for other runs that make tables, as Dagster's queue does. A run that only trains is not waited for."""
    told = False
    while True:
        fail_dead_runs(instance)
        runs = at_work(instance, DATA)
        if not runs:
            return
        if not told:
            err.print(f"  waiting for run {runs[0].run_id[:8]} of {runs[0].job_name} to end", highlight=False)
            told = True
        time.sleep(_POLL_SECONDS)


def _unfinished(instance: "dg.DagsterInstance", job_name: str) -> "dg.DagsterRun | None":
    """The newest run of this command when it recently failed or was interrupted."""
    import dagster as dg

    records = instance.get_run_records(dg.RunsFilter(job_name=job_name, tags={_TAG: job_name}), limit=1)
    if not records or not records[0].dagster_run.is_failure_or_canceled:
        return None
    return records[0].dagster_run if datetime.now(UTC) - records[0].create_timestamp < _RESUME_WITHIN else None


def _left_over(instance: "dg.DagsterInstance", run: "dg.DagsterRun", job: "dg.JobDefinition") -> "list[dg.AssetKey]":
    """Assets that the failed run and the runs it continued did not make, or whose blocking check failed.

    Assets of one step are run again together, because Dagster refuses a part of a step.
    """
    import dagster as dg

    made: set[dg.AssetKey] = set()
    earlier: str | None = run.run_id
    while earlier:
        made |= made_in(instance, earlier)
        found = instance.get_run_by_id(earlier)
        earlier = found.tags.get("souk/continues") if found else None
    graph = job.asset_layer.asset_graph
    left = set(job.asset_layer.executable_asset_keys) - made
    together = {key for asset in left for key in graph.get(asset).execution_set_entity_keys}
    return sorted(key for key in left | together if isinstance(key, dg.AssetKey))


def made_in(instance: "dg.DagsterInstance", run_id: str) -> "set[dg.AssetKey]":
    """Assets one run made, without those whose blocking check failed in it."""
    import dagster as dg

    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    made: set[dg.AssetKey] = set()
    doubted: set[dg.AssetKey] = set()
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.get_dagster_event()
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            made.add(event.step_materialization_data.materialization.asset_key)
        elif not event.asset_check_evaluation_data.passed and event.asset_check_evaluation_data.blocking:
            doubted.add(event.asset_check_evaluation_data.asset_key)
    return made - doubted


@program("python -m orchestration.graph.pipeline")
def main(
    as_json: Json = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Lake, marts and features only: no pairs or sequences, no training.")
    ] = False,
    from_start: Annotated[bool, typer.Option("--from-start", help="Do not continue a failed run.")] = False,
) -> int:
    """Bring the whole data platform up to date once: 0 when everything was made, 1 when a step failed."""
    result = run_pipeline("refresh" if quick else "everything", from_start=from_start)
    if as_json:
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
    for step, message in result.failed.items():
        err.print(f"[red]✗[/] {step} failed: {message}", highlight=False)
    if not result.success:
        err.print(
            "  mend the cause and run the same command again: it continues with what is left (--from-start begins"
            " anew)",
            highlight=False,
        )
        return 1
    err.print(f"[green]✓[/] {len(result.steps)} steps in {result.seconds:.0f} s", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
