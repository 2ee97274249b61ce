"""lake: commands about single tables of the lake."""

from typing import Annotated

import typer

from orchestration.cli.console import machine_or_exit, run_module

commands = typer.Typer(no_args_is_help=True)


@commands.callback()
def lake() -> None:
    """Commands about single tables of the lake."""


@commands.command()
def mend(
    table: Annotated[str, typer.Argument(help="The table, as `souk status` names it.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document and nothing else.")
    ] = False,
) -> None:
    """Read one table again from Postgres, now, while the others stream on.

    For a table that `souk status` shows as stopped, once its cause is repaired, and for one that `souk verify` finds
    different. Waits up to a minute. Exit status 0 when the table is exact again, 1 when it is not, with the reason, 2
    when there is no such table.
    """
    machine_or_exit()
    raise typer.Exit(run_module("warehouse.mend", table, *(("--json",) if as_json else ())).returncode)
