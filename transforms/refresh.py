"""`python -m transforms.refresh`: keep the published marts at the lake's newest watermark, by the keys that changed."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from transforms.errors import TransformError
from transforms.settings import TransformSettings
from warehouse.command import Json, program
from warehouse.stop import stop_on_signals


@program("python -m transforms.refresh")
def main(
    once: Annotated[bool, typer.Option("--once", help="Refresh once and end.")] = False,
    as_json: Json = False,
) -> int:
    """Refresh the published marts whenever the lake has moved, until SIGTERM.

    Only rows of changed keys are computed. The first marts, and those after a change of the models, come from
    `python -m transforms.build`.
    """
    from transforms.incremental.follow import follow  # imports Delta and DuckDB, once the options are read
    from transforms.incremental.refresh import refresh

    settings = TransformSettings()
    if not once:
        return follow(settings, stop_on_signals())
    try:
        done = refresh(settings)
    except TransformError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if as_json:
        sys.stdout.write(json.dumps(asdict(done) | {"as_of": done.as_of.isoformat()}) + "\n")
    else:
        sys.stdout.write(f"{sum(done.rows.values()):,} rows in {done.seconds:.2f} s as of {done.lsn_text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
