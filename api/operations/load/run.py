"""One load from start to end: check, build, write, import into the gateway, count."""

import resource
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.kernel.clock import monotonic
from api.kernel.settings import Settings
from api.operations.load.copy import Advance
from api.operations.load.gateway import import_ledger, require_gateway
from api.operations.load.history import History
from api.operations.load.report import write_report
from api.operations.load.write import Loaded, already_loaded, write_history


@dataclass(frozen=True)
class Outcome:
    """`status` is loaded or already-loaded; `rows` per table; `rowsPerSecond` counts
    database rows over the writing time alone."""

    kind: str
    status: str
    fingerprint: str
    rows: dict[str, int]
    totalRows: int
    gatewayEntries: int | None
    buildSeconds: float
    writeSeconds: float
    gatewaySeconds: float
    rowsPerSecond: int
    peakMemoryMiB: int
    facts: dict[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def run_load(
    settings: Settings, kind: str, fingerprint: str, build: Callable[[], History], *, gateway: bool
) -> Outcome:
    """Load a set that is not loaded yet. For a loaded set only the gateway entries
    are sent again (known ones are ignored).

    Raises: LoadError (and its kinds); the tables are then unchanged, except after the commit, when
    only the gateway's import is incomplete.
    """
    url = settings.database_url.get_secret_value()
    if gateway:
        require_gateway(settings)
    began = monotonic()
    facts: dict[str, object] = {}
    with _progress() as progress:
        loaded = Loaded(already=True, rows={})
        built = began
        if not already_loaded(url, kind, fingerprint):
            task = progress.add_task(f"reading and preparing {kind}", total=None)
            history = build()
            facts = history.facts
            built = monotonic()
            progress.update(task, total=1, completed=1)
            loaded = write_history(url, history, _announcer(progress))
            if history.report is not None:
                report = write_report(settings.home, history.kind, history.report)
                facts = {**facts, "report": str(report)}
        written = monotonic()
        entries = import_ledger(settings, url, _announcer(progress)("gateway ledger", 0)) if gateway else None
    total = sum(loaded.rows.values())
    return Outcome(
        kind=kind,
        status="already-loaded" if loaded.already else "loaded",
        fingerprint=fingerprint,
        rows=loaded.rows,
        totalRows=total,
        gatewayEntries=entries,
        buildSeconds=round(built - began, 2),
        writeSeconds=round(written - built, 2),
        gatewaySeconds=round(monotonic() - written, 2),
        rowsPerSecond=round(total / max(written - built, 0.001)),
        peakMemoryMiB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        facts=facts,
    )


def _progress() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(file=sys.stderr))


def _announcer(progress: Progress) -> Callable[[str, int], Advance]:
    """A new line of progress per table."""

    def started(table: str, rows: int) -> Advance:
        task = progress.add_task(table, total=rows or None)
        return lambda done: progress.advance(task, done)

    return started
