"""`python -m orchestration.graph.daemon`: Dagster's daemon, which sleeps while nothing is due.

Its daemons are those of `dagster-daemon run`, which looks twice a second whether a wait is over, every second whether
the code server is another one, every 5 seconds whether a sensor is due, and loads the definitions anew every minute.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.remote_representation.external import RemoteSensor
from dagster._core.scheduler.instigation import InstigatorState
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon import asset_daemon, sensor
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.controller import (
    DagsterDaemonController,
    create_daemons_from_instance,
    daemon_controller_from_instance,
)
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, IntervalDaemon, SpanMarker
from dagster._daemon.freshness import FreshnessDaemon
from dagster._daemon.utils import DaemonErrorCapture
from dagster._grpc import server_watcher
from dagster._utils.interrupts import capture_interrupts, raise_interrupts_as, setup_interrupt_handlers

from orchestration.graph.gates import LOOK_SECONDS, Gates

# A sensor begins at most so much later than its interval says; a rollout by its condition likewise.
SENSORS_SECONDS, CONDITIONS_SECONDS = LOOK_SECONDS, 30
# How often ended runs are looked at, for those to start once more, and how often assets are judged by their age.
INTERVALS = {EventLogConsumerDaemon: 30.0, FreshnessDaemon: 60.0}
# The code server is asked so often whether it is another one; it answers only then with definitions.
WATCH_SECONDS = 5.0
_HEARTBEAT_SECONDS = 120
_CHECK_SECONDS = 5.0
_RELOAD_SECONDS = 600.0


def calmed() -> None:
    """Make Dagster's modules wait as long as is said above. It has no settings for this."""
    sensor.MIN_INTERVAL_LOOP_TIME = SENSORS_SECONDS
    asset_daemon.MIN_INTERVAL_LOOP_SECONDS = CONDITIONS_SECONDS
    # Read from the catalog of Postgres at every look for runs otherwise: most of what a look costs.
    SqlRunStorage.has_run_stats_index_cols = cache(SqlRunStorage.has_run_stats_index_cols)  # type: ignore[method-assign]
    watch_calmly()


def watch_calmly() -> None:
    """The part of `calmed` that the pages need too."""
    server_watcher.WATCH_INTERVAL = WATCH_SECONDS  # type: ignore[assignment]  # declared by its first value


def gate(gates: Gates) -> None:
    """Leave out the ticks of sensors that would find nothing."""
    for module in (sensor, asset_daemon):
        module.is_under_min_interval = partial(  # type: ignore[attr-defined]  # as Dagster's modules call it
            _not_due, gates, module.is_under_min_interval
        )


def _not_due(
    gates: Gates, waits: Callable[..., bool], state: InstigatorState, remote: RemoteSensor, *more: Any, **named: Any
) -> bool:  # Any: whatever else Dagster says to the original
    return waits(state, remote, *more, **named) or gates.closed(state, remote)


def daemons(instance: dg.DagsterInstance) -> Sequence[DagsterDaemon[Any]]:
    """Those that Dagster would start; each waits once for the time of its next round."""
    made = create_daemons_from_instance(instance)
    for daemon in made:
        if isinstance(daemon, IntervalDaemon):
            daemon.interval_seconds = INTERVALS.get(type(daemon), daemon.interval_seconds)
            daemon.core_loop = partial(rounds, daemon)  # type: ignore[method-assign]
    return made


def rounds(
    daemon: IntervalDaemon[Any],  # Any: whatever context it works in
    context: IWorkspaceProcessContext[Any],
    ending: threading.Event,
) -> DaemonIterator:
    """The loop of an IntervalDaemon with one wait between two rounds."""
    while True:
        due = time.monotonic() + daemon.interval_seconds
        yield SpanMarker.START_SPAN
        try:
            yield from daemon.run_iteration(context)
        except Exception:  # noqa: BLE001 - Dagster shows it; the next round may succeed
            problem, log = sys.exc_info(), daemon._logger  # noqa: SLF001 - the name of the daemon is in it
            yield DaemonErrorCapture.process_exception(problem, logger=log, log_message="Caught error")
        yield SpanMarker.END_SPAN
        ending.wait(max(due - time.monotonic(), 0.0))
        yield None


def supervise(controller: DagsterDaemonController) -> None:
    """Until a signal ends it. A daemon's thread that ended ends the process; the watch of the code server hears of new
    definitions, and a reload now and then hears of them when the watch did not."""
    reloaded, due = time.time(), time.monotonic() + _RELOAD_SECONDS
    while True:
        with raise_interrupts_as(KeyboardInterrupt):
            time.sleep(_CHECK_SECONDS)
            controller.check_daemon_threads()
            if time.monotonic() >= due:
                due = time.monotonic() + _RELOAD_SECONDS
                reloaded = controller.check_workspace_freshness(reloaded)


def main() -> None:
    """Run until SIGTERM, on the instance and the workspace of DAGSTER_HOME."""
    calmed()
    setup_interrupt_handlers()
    with suppress(KeyboardInterrupt), capture_interrupts(), dg.DagsterInstance.get() as instance:
        gate(Gates(instance))
        workspace = WorkspaceFileTarget(paths=[str(Path(instance.root_directory) / "workspace.yaml")])
        with daemon_controller_from_instance(
            instance,
            workspace,
            heartbeat_interval_seconds=_HEARTBEAT_SECONDS,
            gen_daemons=daemons,
            code_server_log_level="warning",
        ) as controller:
            supervise(controller)


if __name__ == "__main__":
    main()
