"""`python -m warehouse.mend TABLE`: have cdc read one table again from Postgres, and wait until it is exact.

The other tables stream on. A stopped table is tried again by itself, ever more rarely; this tries it now. A table that
runs is read again too, where somebody knows that its rows are wrong.
"""

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from warehouse.command import Json, program
from warehouse.settings import WarehouseSettings

if TYPE_CHECKING:
    from warehouse.lake.watermark import Watermark

_POLL_SECONDS = 0.2


@program("python -m warehouse.mend")
def main(
    table: Annotated[str, typer.Argument(help="A table of the contract.")],
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long it may take; the request stays afterwards.")
    ] = 60.0,
    as_json: Json = False,
) -> int:
    """Read one table of the lake again from Postgres.

    Exit 0: it is exact; 1: it is not, with the reason; 2: there is no such table.
    """
    from warehouse.contract import ContractError, load_contract  # loads Arrow, so after the options

    settings = WarehouseSettings()
    try:
        known = load_contract(settings.contract_path).by_name
    except ContractError as error:
        return _say(table, str(error), as_json=as_json, status=2)
    if table not in known:
        return _say(table, f"no table {table}; there are: {', '.join(known)}", as_json=as_json, status=2)
    before = _reads(settings, table)
    settings.mend_path.mkdir(parents=True, exist_ok=True)
    request = settings.mend_path / table
    request.touch()
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        if not request.exists() and (now := _reads(settings, table)) is not None and now != before:
            return _say(table, None, as_json=as_json, status=0)
    return _say(table, _problem(settings, table, taken=not request.exists()), as_json=as_json, status=1)


def _newest(settings: WarehouseSettings) -> "Watermark | None":
    from warehouse.lake.read import latest_watermark  # loads DuckDB and Delta, so after the options

    return latest_watermark(settings.lake_uri)


def _reads(settings: WarehouseSettings, table: str) -> tuple[int, int] | None:
    """How many snapshots a watermark that shows the table exact has seen; None where none does."""
    mark = _newest(settings)
    if mark is None or table not in mark.versions or mark.versions[table].error or mark.source is None:
        return None
    return mark.source.snapshots, mark.source.table_snapshots


def _problem(settings: WarehouseSettings, table: str, *, taken: bool) -> str:
    mark = _newest(settings)
    shown = mark.versions.get(table) if mark else None
    if shown is not None and shown.error:
        return shown.error
    return "it has not been read yet" if taken else "cdc has not taken the request: does it run? `souk status`"


def _say(table: str, problem: str | None, *, as_json: bool, status: int) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"table": table, "mended": problem is None, "problem": problem}) + "\n")
    else:
        sys.stdout.write(f"{table}: {problem or 'read again, exact'}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
