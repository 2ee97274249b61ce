"""load, pipeline, verify."""

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import machine_or_exit, problems_as_sentences, run_module, running_or_exit
from orchestration.runtime.errors import RuntimeProblem


class Dataset(StrEnum):
    """The data sets of `api.operations.load`."""

    marketplace = "marketplace"
    online_retail = "online-retail"
    catalog_file = "catalogue"


def load(
    context: typer.Context,
    dataset: Annotated[
        Dataset,
        typer.Argument(
            help=(
                "marketplace: made here by a seeded rule. online-retail: the UCI set of a real British shop. catalogue:"
                " a file of products for one seller."
            )
        ),
    ],
    path: Annotated[
        str,
        typer.Argument(
            help=(
                "Folder with order_lines.csv.gz and items.tsv.gz, or a CSV with the UCI columns; nothing for"
                " marketplace; for catalogue a file as docs/catalog-files.md describes it, and --seller EMAIL."
            ),
            show_default=False,
        ),
    ] = "",
) -> None:
    """Load a set of products, customers and orders into the shop's database, under the constraints every order obeys.

    A bad file is refused with file, line and column, and nothing of it stays. Loading the same set again changes
    nothing. Further options go to the loader as they are: --products 200 --shoppers 300 --orders 2000 make a small
    marketplace. Needs what `souk up` starts. Exit status 0 when the set is in the database, else 1 or 2 with the
    reason.
    """
    running_or_exit()
    raise typer.Exit(
        run_module("api.operations.load", dataset.value, *_paths_made_absolute(path), *context.args).returncode
    )


def _paths_made_absolute(path: str) -> tuple[str, ...]:
    """Make a path absolute, because the loader runs in another folder. An argument with a dash is an option."""
    if not path:
        return ()
    return (path,) if path.startswith("-") else (str(Path(path).resolve()),)


class RatesFrom(StrEnum):
    """The commands of `api.operations.rates`."""

    load = "load"
    example = "example"


def rates(
    context: typer.Context,
    command: Annotated[
        RatesFrom,
        typer.Argument(help="load: the rates of a CSV file. example: a few made-up rates, for demonstrations only."),
    ],
    path: Annotated[
        str, typer.Argument(help="CSV with the columns day, from, to, rate; nothing for example.", show_default=False)
    ] = "",
) -> None:
    """Load exchange rates by day. Sums over several currencies exist only where these rates convert them.

    A rate holds from its day until the next of its pair. A wrong file is refused with its line and nothing of it stays;
    --replace changes rates that are known with another value, --source says where they are from. Needs what `souk up`
    starts.
    """
    running_or_exit()
    raise typer.Exit(
        run_module("api.operations.rates", command.value, *_paths_made_absolute(path), *context.args).returncode
    )


def pipeline(
    quick: Annotated[
        bool, typer.Option("--quick", help="Lake, marts and features only: no pairs or sequences, no training.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Do not continue a run that failed within the last hour.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document and nothing else.")
    ] = False,
) -> None:
    """Bring everything up to date once: lake, marts, features, models, serving bundle.

    Needs what `souk up` starts. A step that fails is named and the exit status is 1; the same command then continues
    with what is left.
    """
    running_or_exit()
    flags = {"--quick": quick, "--from-start": from_start, "--json": as_json}
    raise typer.Exit(
        run_module("orchestration.graph.pipeline", *(flag for flag, given in flags.items() if given)).returncode
    )


def verify(
    at: Annotated[
        str,
        typer.Option(
            help="Check the lake against itself at this log position (such as 0/1A2B3C): changes replayed = state."
        ),
    ] = "",
    invariants: Annotated[
        bool, typer.Option("--invariants", help="Also check the books: stock, money, orders, payments.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Compare the lake with Postgres row by row, at one log position.

    Waits up to a minute for the lake to reach the position of the comparison. Exit status 0 when both are equal, 1 on
    any difference or when one of them cannot be read.
    """
    with problems_as_sentences():
        if at and not re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", at):
            raise RuntimeProblem(f"--at {at} is no log position: write it as Postgres does, such as 0/1A2B3C")
    if as_json or at:  # the lake's own check needs no Postgres; with --json the JSON holds the reason
        machine_or_exit()
    else:
        running_or_exit()
    programs = {"lake": ("warehouse.verify", *(("--at", at) if at else ()))}
    if invariants:
        programs["invariants"] = ("api.operations.invariants",)
    flags = ("--json",) if as_json else ()
    done = {name: run_module(*program, *flags, capture=as_json) for name, program in programs.items()}
    if as_json:
        typer.echo(json.dumps({name: json.loads(result.stdout or "null") for name, result in done.items()}, indent=2))
    raise typer.Exit(max(min(result.returncode, 1) for result in done.values()))
