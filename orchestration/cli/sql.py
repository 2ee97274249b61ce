"""sql: queries of the published marts, or of the lake at an earlier moment."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestration.cli.console import err, machine_or_exit, out, problems_as_sentences
from orchestration.runtime.errors import RuntimeProblem
from transforms.dbt_project import mart_names
from transforms.settings import DBT_PROJECT
from warehouse.settings import WarehouseSettings

if TYPE_CHECKING:  # DuckDB takes half a second to import; other commands do not need it
    import duckdb

    from warehouse.lake.watermark import Watermark

_SHOWN_ROWS = 200


def sql_help() -> str:
    """The help of `souk sql`, with the tables of the dbt project."""
    marts = ", ".join(mart_names(DBT_PROJECT))
    return f"""Query the published marts with DuckDB, read-only, also while they are rebuilt.

    Tables: {marts}.
    With --as-of, query the shop's own tables as they were at one moment: every committed transaction up to there and no
    other, within the lake's retention. Marts exist only as last built. Text about people shows as ***.
    Queries also come from stdin, each ended by a semicolon. Exit status 1 when a query is wrong, there are no marts
    yet, or the lake does not hold the moment; 2 when a value is no moment.
    """


def sql(
    query: Annotated[str, typer.Argument(help="One query; a prompt when left out.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as a JSON list and nothing else.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="LSN|TIME",
            help="The lake's tables at a log position (0/1A2B3C) or a time (2026-01-31T12:00:00Z; UTC unless it says).",
        ),
    ] = None,
    personal: Annotated[
        bool,
        typer.Option("--personal", help="With --as-of, for the owner of the state directory: do not mask text."),
    ] = False,
) -> None:
    """Query the published marts with DuckDB, or with --as-of the lake."""
    if personal and as_of is None:
        raise typer.BadParameter("is for --as-of: marts are built from masked text", param_hint="--personal")
    reach = _published_marts() if as_of is None else _at_moment(as_of, personal=personal)
    with reach as (where, ask):
        if query.strip():
            raise typer.Exit(_run_query(ask, query, as_json=as_json))
        err.print(f"[dim]{where}, read-only. End a query with ;  ·  leave with ctrl-d[/]", highlight=False)
        statuses = [_run_query(ask, typed, as_json=as_json) for typed in _queries_from_prompt()]
    if not sys.stdin.isatty():  # a script needs the exit status; a person has read the message
        raise typer.Exit(max(statuses, default=0))


Ask = Callable[[str], tuple[list[str], list[tuple[object, ...]]]]
"""Runs one query; returns the names of its columns and its rows. Raises duckdb.Error and RuntimeProblem."""


@contextmanager
def _published_marts() -> Iterator[tuple[str, Ask]]:
    """Where the marts are, and how to ask them. Each query opens the file, because it may be replaced between two."""
    path = machine_or_exit().settings.marts_path
    with problems_as_sentences():
        if not path.exists():
            raise RuntimeProblem(f"no marts yet at {path}: run `souk pipeline`")

    def ask(query: str) -> tuple[list[str], list[tuple[object, ...]]]:
        import duckdb

        with duckdb.connect(str(path), read_only=True) as connection:
            return _answer(connection, query)

    yield str(path), ask


@contextmanager
def _at_moment(text: str, *, personal: bool) -> Iterator[tuple[str, Ask]]:
    """The lake's tables at the moment that `text` names. stderr says which state that is and what it masks."""
    from warehouse.contract import ContractError, load_contract
    from warehouse.lake.moment import UnknownMoment, parse_moment, watermark_as_of
    from warehouse.lake.views import QueryRefused, open_views, tables_read
    from warehouse.lake.watermark import LakeStateError

    try:
        moment = parse_moment(text)
    except UnknownMoment as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from error
    machine = machine_or_exit()
    with problems_as_sentences():
        if personal:
            _check_owner(machine.layout.home)
        lake = machine.settings.lake_uri
        try:
            contract = load_contract(WarehouseSettings().contract_path)
            mark = watermark_as_of(lake, moment)
            connection = open_views(lake, mark, contract, personal=personal)
        except (LakeStateError, ContractError) as error:
            raise RuntimeProblem(f"--as-of: {error}") from error
    _say_state(mark, personal=personal)

    def ask(query: str) -> tuple[list[str], list[tuple[object, ...]]]:
        try:
            _refuse_marts(tables_read(connection, query), mark)
        except QueryRefused as error:
            raise RuntimeProblem(str(error)) from error
        return _answer(connection, query)

    with closing(connection):
        yield f"the lake at {mark.lsn_text}", ask


def _check_owner(home: Path) -> None:
    owner = home.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise RuntimeProblem(
            f"--personal: text about people is for the owner of {home}, user {owner}, not for user {os.geteuid()}: run"
            " the command as that user, or without --personal"
        )


def _say_state(mark: "Watermark", *, personal: bool) -> None:
    masked = "text about people is shown" if personal else "text about people is masked"
    err.print(f"[dim]as of {mark.lsn_text}, {masked}[/]", highlight=False)
    for name, version in mark.versions.items():
        if version.error:
            err.print(f"{name} stands still since before that: {version.error}", markup=False, highlight=False)


def _refuse_marts(tables: set[str], mark: "Watermark") -> None:
    if marts := sorted(tables.intersection(mart_names(DBT_PROJECT)).difference(mark.versions)):
        raise RuntimeProblem(
            f"{', '.join(marts)}: marts exist only as last built, not at {mark.lsn_text}. Leave --as-of out for them,"
            f" or query the shop's tables: {', '.join(mark.versions)}"
        )


def _answer(connection: "duckdb.DuckDBPyConnection", query: str) -> tuple[list[str], list[tuple[object, ...]]]:
    answer = connection.execute(query)
    return [column[0] for column in answer.description or []], answer.fetchall()


def _queries_from_prompt() -> Iterator[str]:
    lines: list[str] = []
    while True:
        try:
            lines.append(input("souk> " if not lines else "  ... ") if sys.stdin.isatty() else input())
        except KeyboardInterrupt:
            return
        except EOFError:
            if any(line.strip() for line in lines):  # the last query has no semicolon
                yield "\n".join(lines)
            return
        if lines[-1].rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []


def _run_query(ask: Ask, query: str, *, as_json: bool) -> int:
    """Run the query and print its rows. Returns the exit status."""
    import duckdb

    try:
        names, rows = ask(query)
    except (duckdb.Error, RuntimeProblem) as error:
        err.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    if as_json:
        typer.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str, indent=2))
        return 0
    table = Table(header_style="bold")
    for name in names:
        table.add_column(Text(name), overflow="fold")
    for row in rows[:_SHOWN_ROWS]:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    out.print(table)
    if len(rows) > _SHOWN_ROWS:
        err.print(f"[dim]{_SHOWN_ROWS} of {len(rows)} rows shown; --json prints all[/]")
    return 0
