"""demo: from nothing to a running marketplace with data, marts, features and a trained model."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.panel import Panel

from orchestration.cli.console import ServiceProgress, err, out, problems_as_sentences, run_module, settings
from orchestration.cli.data import Dataset
from orchestration.graph.champion import Judged, judged_champion
from orchestration.runtime import control
from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.layout import Layout, open_layout
from orchestration.runtime.machine import Machine
from orchestration.runtime.sampler import MemorySampler
from orchestration.runtime.status import status_of
from orchestration.runtime.supervisor import supervisor_lives
from orchestration.settings import ROOT
from warehouse.files import replace_file

# What a load needs: the tables, the gateway's ledger, and the follower of changes, which must not begin amid a load.
# The others go on starting meanwhile, because a load alone does not use both cores.
_LOADED_WITH = ("migrate", "sandbox", "cdc")


@dataclass
class StepTimes:
    """Seconds of each step, for the summary and the recorded results."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step and time it."""
        err.print(f"[bold cyan]▸[/] {title}", highlight=False)
        began = time.monotonic()
        yield
        self.seconds[title] = round(time.monotonic() - began, 1)
        err.print(f"[green]✓[/] {title} [dim]{self.seconds[title]:.1f} s[/]", highlight=False)


def demo(
    data: Annotated[
        Path | None, typer.Option("--data", help="A real set (Online Retail) instead of the built-in marketplace.")
    ] = None,
    size: Annotated[
        str,
        typer.Option(help="Options of `souk load marketplace`, such as '--products 200 --shoppers 300 --orders 2000'."),
    ] = "",
    record: Annotated[
        bool, typer.Option("--record", help="Append time and peak memory to docs/results/demo.jsonl.")
    ] = False,
) -> None:
    """Start everything, load a marketplace unless one is loaded, run the whole data platform once, say where to look.
    Leaves it running.

    Safe to repeat, also after ctrl-c: what is done is not done again. With exit status 1 the step that failed is named.
    """
    chosen = settings()
    with problems_as_sentences():
        layout = open_layout(chosen.home)
    times, began = StepTimes(), time.monotonic()
    with problems_as_sentences(), _interruption_in_words(layout), MemorySampler(layout.home) as memory:
        if data is not None and not data.exists():
            raise RuntimeProblem(f"no data at {data}: give the folder or file of the set")
        with times.step("Start every process"), ServiceProgress() as progress:
            machine = control.up(chosen, progress, first=_LOADED_WITH)
        if data is None and _holds_orders(machine):
            err.print("[green]✓[/] A shop with orders is here already: it stays as it is", highlight=False)
        else:
            with times.step(
                f"Load {_wanted(data)[0]}"
            ):  # when it is loaded already, the loader says so and changes nothing
                _must("api.operations.load", *_wanted(data), *(size.split() if data is None else ()))
                _must("api.operations.rates", "example", capture=True)
        _show_accounts_once(layout, times)
        with times.step("Wait for the processes that are still starting"), ServiceProgress() as progress:
            control.up(chosen, progress)
        with times.step("Run the data platform: lake, marts, features, models"):
            _must("orchestration.graph.pipeline")
    seconds = round(time.monotonic() - began, 1)
    _summary(machine, times, seconds, memory.peak_bytes)
    if record:
        _record(data, times, seconds, memory.peak_bytes)


@contextlib.contextmanager
def _interruption_in_words(layout: Layout) -> Iterator[None]:
    """After ctrl-c, print what is left running."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        left = (
            "what runs keeps running, `souk down` stops it" if supervisor_lives(layout) else "nothing was left running"
        )
        err.print(f"interrupted: {left}; the same command again continues with what is left to do", highlight=False)
        raise typer.Exit(130) from interruption


def _must(module: str, *arguments: str, capture: bool = False) -> str:
    done = run_module(module, *arguments, capture=capture)
    if done.returncode != 0:
        raise RuntimeProblem(
            f"`python -m {module}` failed (exit status {done.returncode}); its words are above; `souk down` stops what"
            " runs"
        )
    return done.stdout or ""


def _holds_orders(machine: Machine) -> bool:
    """Whether the database holds orders: a second run must not load a generated marketplace over a real set."""
    import psycopg  # takes half a second to import; other commands do not need it

    with psycopg.connect(machine.database_url) as connection:
        return connection.execute("SELECT FROM orders LIMIT 1").fetchone() is not None


def _wanted(data: Path | None) -> tuple[str, ...]:
    return (Dataset.marketplace.value,) if data is None else (Dataset.online_retail.value, str(data.resolve()))


def _show_accounts_once(layout: Layout, times: StepTimes) -> None:
    """Generate passwords, keep them in demo-accounts.json (0600), and print them only when they are new."""
    known = layout.accounts.exists()
    with times.step("Accounts of the demo"):
        told = _must("api.operations.accounts", capture=True)
        accounts = json.loads(told)
    if not known:
        replace_file(layout.accounts, told, mode=0o600)
        rows = "\n".join(
            f"{role:<20} {account['email']:<28} {account['password']}" for role, account in accounts.items()
        )
        out.print(Panel(rows, title=f"accounts, shown once, kept in {layout.accounts}", highlight=False))


def _model(judged: Judged | None) -> str:
    if judged is None:
        return "none beats popularity yet: recommendations are the best sellers"
    return (
        f"{judged.shipped}: NDCG@10 {judged.ndcg:.4f} for you on the last weeks, popularity {judged.popularity:.4f}  "
        " (`souk evaluate`)"
    )


def _summary(machine: Machine, times: StepTimes, seconds: float, peak: int) -> None:
    document = status_of(machine)
    lines = [
        f"[bold]shop[/]        {machine.address('api')}/docs",
        f"[bold]dashboard[/]   {document['dashboard']['url']}   (sign in as the seller in {machine.layout.accounts})",
        f"[bold]dagster[/]     {machine.address('dagster')}",
        f"[bold]mlflow[/]      {machine.address('mlflow')}",
        f"[bold]lake[/]        {machine.settings.lake_uri}  at {document['lake']['lsn']}",
        f"[bold]marts[/]       {machine.settings.marts_path}  as of {document['marts']['asOf']}   (`souk sql`)",
        f"[bold]model[/]       {_model(judged_champion(machine.layout.home / 'models'))}",
        "",
        *(f"[dim]{title:<58}{taken:>8.1f} s[/]" for title, taken in times.seconds.items()),
        f"[dim]{'Together':<58}{seconds:>8.1f} s[/]",
        f"[dim]{'Peak memory of all processes together':<58}{peak / 1024**3:>8.2f} GiB[/]",
    ]
    out.print(Panel("\n".join(lines), title="Souk is running  ·  `make down` stops it", highlight=False))


# Goals of a demo on two cores with everything installed: seconds by data set, and memory of all processes together.
_GOAL_SECONDS = {Dataset.marketplace.value: 300, Dataset.online_retail.value: 720}
_GOAL_GIB = 6
# What the marketplace must reach on two cores; its lines have names of their own.
_MUST_SECONDS = 150
_MUST_GIB = 4


def _record(data: Path | None, times: StepTimes, seconds: float, peak: int) -> None:
    """Write result lines in the form of `tests.benchmarks.results`: time and memory, of the marketplace twice.

    `limit` is the goal; a ratio of 1 or more means that the goal was met.
    """
    dataset = _wanted(data)[0]
    steps = "; ".join(f"{title} {taken:.0f} s" for title, taken in times.seconds.items())
    gib = peak / 1024**3
    goal = _GOAL_SECONDS[dataset]
    machine = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    rows = [
        {
            "name": f"{dataset}: time",
            "ours": seconds,
            "limit": goal,
            "unit": "s",
            "ratio": round(goal / seconds, 2),
            "note": steps,
        },
        {
            "name": f"{dataset}: peak memory",
            "ours": round(gib, 2),
            "limit": _GOAL_GIB,
            "unit": "GiB",
            "ratio": round(_GOAL_GIB / gib, 2),
        },
    ]
    if data is None:
        rows += [
            {**rows[0], "name": "demo", "limit": _MUST_SECONDS, "ratio": round(_MUST_SECONDS / seconds, 2)},
            {**rows[1], "name": "demo.memory", "limit": _MUST_GIB, "ratio": round(_MUST_GIB / gib, 2)},
        ]
    target = ROOT / "docs" / "results" / "demo.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row | machine) + "\n" for row in rows)
