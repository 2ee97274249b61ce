"""load, pipeline, verify, sql."""

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from orchestration.cli.console import err, machine_or_exit, out, problems_as_sentences, run_module
from orchestration.runtime.errors import RuntimeProblem

_SHOWN_ROWS = 200


class Dataset(StrEnum):
    """Sets that `api.load` knows."""

    marketplace = "marketplace"
    online_retail = "online-retail"


def load(
    context: typer.Context,
    dataset: Annotated[
        Dataset, typer.Argument(help="marketplace: made here by a seeded rule. online-retail: the UCI set of a real British shop.")
    ],
    path: Annotated[str, typer.Argument(help="Folder or file of a real set.", show_default=False)] = "",
) -> None:
    """Load a set of products, customers and orders into the shop's database, under the constraints every order obeys.

    A bad file is refused with file, line and column, and nothing of it stays. Loading the same set again changes nothing.
    Further options go to the loader as they are: --products 200 --shoppers 300 --orders 2000 make a small marketplace.
    """
    machine_or_exit()
    raise typer.Exit(run_module("api.load", dataset.value, *_paths_made_absolute(path), *context.args).returncode)


def _paths_made_absolute(path: str) -> tuple[str, ...]:
    """The loader runs in another folder. What begins with a dash is an option that landed here."""
    if not path:
        return ()
    return (path,) if path.startswith("-") else (str(Path(path).resolve()),)


def pipeline() -> None:
    """Bring everything up to date once: lake, marts, features, models, serving bundle."""
    machine_or_exit()
    raise typer.Exit(run_module("orchestration.pipeline").returncode)


def verify(
    at: Annotated[
        str, typer.Option(help="Check the lake against itself at this log position (such as 0/1A2B3C): changes replayed = state.")
    ] = "",
    invariants: Annotated[bool, typer.Option("--invariants", help="Also check the books: stock, money, orders, payments.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Compare the lake with Postgres row by row, at one log position. Exit status 1 on any difference."""
    machine_or_exit()
    programs = {"lake": ("warehouse.verify", *(("--at", at) if at else ()))}
    if invariants:
        programs["invariants"] = ("api.invariants",)
    flags = ("--json",) if as_json else ()
    done = {name: run_module(*program, *flags, capture=as_json) for name, program in programs.items()}
    if as_json:
        typer.echo(json.dumps({name: json.loads(result.stdout or "null") for name, result in done.items()}, indent=2))
    raise typer.Exit(max(min(result.returncode, 1) for result in done.values()))


def sql_on_marts(
    query: Annotated[str, typer.Argument(help="One query; a prompt when left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as a JSON list and nothing else.")] = False,
) -> None:
    """Query the published marts with DuckDB, read-only, also while they are rebuilt.

    Tables: fct_orders, fct_order_items, dim_product, dim_seller, mart_seller__sales_day, mart_watermark.
    """
    path = machine_or_exit().marts_path
    with problems_as_sentences():
        if not path.exists():
            raise RuntimeProblem(f"no marts yet at {path}: run `souk pipeline`")
    if query:
        raise typer.Exit(_run_query(path, query, as_json=as_json))
    err.print(f"[dim]{path}, read-only. End a query with ;  ·  leave with ctrl-d[/]", highlight=False)
    for typed in _queries_from_prompt():
        _run_query(path, typed, as_json=as_json)


def _queries_from_prompt() -> Iterator[str]:
    lines: list[str] = []
    while True:
        try:
            lines.append(input("souk> " if not lines else "  ... ") if sys.stdin.isatty() else input())
        except (EOFError, KeyboardInterrupt):
            return
        if lines[-1].rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []


def _run_query(path: Path, query: str, *, as_json: bool) -> int:
    """Open, ask, close: the file may be replaced between two queries. Returns the exit status."""
    import duckdb  # half a second that other commands need not pay

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            answer = connection.execute(query)
            names = [column[0] for column in answer.description or []]
            rows = answer.fetchall()
    except duckdb.Error as error:
        err.print(str(error), markup=False, highlight=False)
        return 1
    if as_json:
        typer.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str, indent=2))
        return 0
    table = Table(header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows[:_SHOWN_ROWS]:
        table.add_row(*("" if value is None else str(value) for value in row))
    out.print(table)
    if len(rows) > _SHOWN_ROWS:
        err.print(f"[dim]{_SHOWN_ROWS} of {len(rows)} rows shown; --json prints all[/]")
    return 0
