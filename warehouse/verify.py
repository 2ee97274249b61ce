"""`python -m warehouse.verify`: compare the lake with Postgres, row by row, at one LSN.

`--at LSN` needs no Postgres: it compares the replayed change log with the current state.
"""

import json
import sys
from typing import Annotated

import typer

from warehouse.command import Json, program
from warehouse.settings import WarehouseSettings


@program("python -m warehouse.verify")
def main(
    at: Annotated[
        str | None,
        typer.Option(
            metavar="LSN", help="Compare the lake's change log with its current state at this LSN; no Postgres."
        ),
    ] = None,
    as_json: Json = False,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long the lake may take to reach Postgres.")
    ] = 60.0,
) -> int:
    """Compare the lake with Postgres, row by row, at one LSN. Exit 0: equal, 1: different, 2: could not be compared."""
    # Delta, DuckDB and the drivers are loaded once the options are read.
    import psycopg

    from warehouse.cdc.slot import SourceError
    from warehouse.comparison import render, verify_against_itself, verify_against_postgres
    from warehouse.contract import ContractError, load_contract
    from warehouse.lake.lsn import parse_lsn
    from warehouse.lake.watermark import LakeStateError

    settings = WarehouseSettings()
    try:
        contract = load_contract(settings.contract_path)
        if at:
            verdict = verify_against_itself(settings.lake_uri, contract, parse_lsn(at))
        else:
            verdict = verify_against_postgres(settings.source_url, settings.lake_uri, contract, wait_seconds=wait)
    except (LakeStateError, ContractError, SourceError, ValueError, psycopg.Error) as error:
        sys.stdout.write(
            json.dumps({"clean": False, "error": str(error).strip()}) + "\n" if as_json else f"cannot verify: {error}\n"
        )
        return 2
    sys.stdout.write(json.dumps(verdict.as_json()) + "\n" if as_json else render(verdict) + "\n")
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
