"""evaluate and bench: stdout is JSON and nothing else."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import run_module


def evaluate(
    data: Annotated[Path | None, typer.Option(help="Folder of a real set; the lake of this machine when left out.")] = None,
    recipe: Annotated[str, typer.Option(help="Named settings of the training.")] = "",
) -> None:
    """Measure the recommenders offline on the whole catalogue and print one JSON document; progress goes to stderr."""
    given = (*(("--data", str(data.resolve())) if data else ()), *(("--recipe", recipe) if recipe else ()))
    raise typer.Exit(run_module("training.evaluate", "--json", *given).returncode)


PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A module of tests/benchmarks.")],
) -> None:
    """Run one benchmark and print JSON lines {name, ours, limit, unit, ratio, ...}; the limit is measured in the same run.

    Further arguments go to the benchmark as they are.
    """
    raise typer.Exit(run_module(f"tests.benchmarks.{name.replace('-', '_')}", *context.args).returncode)
