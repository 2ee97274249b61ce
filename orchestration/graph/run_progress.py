"""Prints the progress of a Dagster run in this process, and reads its timings afterwards."""

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console

if TYPE_CHECKING:
    import dagster as dg

_POLL_SECONDS = 0.3


class RunProgress:
    """Follows the run's events in a separate thread and prints each step's begin and end."""

    def __init__(self, instance: "dg.DagsterInstance", run_id: str, console: Console) -> None:
        self._instance, self._run_id, self._console = instance, run_id, console
        self._seen = 0
        self._began: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="pipeline-progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        self._tell()

    def _follow(self) -> None:
        from sqlalchemy.exc import OperationalError

        while not self._over.wait(_POLL_SECONDS):
            with contextlib.suppress(OperationalError):  # a store that is busy is asked again at the next look
                self._tell()

    def _tell(self) -> None:
        """Print the events since the last call."""
        import dagster as dg

        if not self._instance.has_run(self._run_id):
            return
        kinds = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
        events = self._instance.all_logs(self._run_id, of_type=kinds)
        for entry in events[self._seen :]:
            step, event = entry.step_key or "", entry.get_dagster_event()
            if event.event_type == dg.DagsterEventType.STEP_START:
                self._began[step] = entry.timestamp
                self._console.print(f"  [dim]▹ {step}[/]", highlight=False)
                continue
            seconds = entry.timestamp - self._began.get(step, time.time())
            mark = "[green]✓[/]" if event.event_type == dg.DagsterEventType.STEP_SUCCESS else "[red]✗[/]"
            self._console.print(f"  {mark} {step} [dim]{seconds:.1f} s[/]", highlight=False)
        self._seen = len(events)


def step_seconds(instance: "dg.DagsterInstance", run_id: str) -> dict[str, float]:
    """Step -> seconds, in the order they began, without steps that did not end."""
    stats = instance.get_run_step_stats(run_id)
    timed = [
        (s.start_time, s.end_time, s.step_key) for s in stats if s.start_time is not None and s.end_time is not None
    ]
    return {step: round(end - start, 2) for start, end, step in sorted(timed)}


def failed_steps(instance: "dg.DagsterInstance", run_id: str) -> dict[str, str]:
    """Step -> the message of the innermost error. A failed blocking check counts, under its asset's name."""
    import dagster as dg

    found: dict[str, str] = {}
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        error = entry.get_dagster_event().step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        found[entry.step_key or "run"] = error.message.strip() if error else "no message"
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        check = entry.get_dagster_event().asset_check_evaluation_data
        if not check.passed and check.blocking:
            figures = ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())
            found[f"{check.asset_key.to_user_string()}:{check.check_name}"] = figures
    return found
