"""`python -m transforms.spark.run [--json]`: run the jobs on the lake at its newest watermark, in Spark or DuckDB."""

import json
import sys
from dataclasses import asdict

from transforms.errors import TransformError
from transforms.settings import TransformSettings
from warehouse.command import Json, program


@program("python -m transforms.spark.run")
def main(as_json: Json = False) -> int:
    """Co-purchase pairs and interaction sequences."""
    from transforms.jobs.run import run  # imports heavy wheels, once the options are read

    try:
        result = run(TransformSettings())
    except TransformError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if as_json:
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
    else:
        counts = ", ".join(f"{rows:,} rows of {name}" for name, rows in result.rows.items())
        sys.stdout.write(f"{counts} at {result.lsn_text} by {result.engine} in {sum(result.seconds.values()):.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
