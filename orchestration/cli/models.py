"""evaluate and bench: stdout is JSON and nothing else."""

from typing import Annotated

import typer

from orchestration.cli.console import run_module


def evaluate(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on, such as a path to a real set.", show_default=False)] = None,
) -> None:
    """Measure the recommenders offline on the whole catalogue and print JSON; progress goes to stderr."""
    raise typer.Exit(run_module("training.evaluate", *(arguments or [])).returncode)


def bench(
    name: Annotated[str, typer.Argument(help="A module of tests/benchmarks.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on.", show_default=False)] = None,
) -> None:
    """Run one benchmark and print JSON lines {name, ours, limit, unit, ratio, ...}; the limit is measured in the same run."""
    raise typer.Exit(run_module(f"tests.benchmarks.{name.replace('-', '_')}", *(arguments or [])).returncode)
