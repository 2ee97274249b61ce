"""`python -m transforms.build [--json]`: build and publish marts and features at the newest watermark."""

import json
import sys

from transforms.errors import TransformError
from transforms.settings import TransformSettings
from warehouse.command import Json, program


@program("python -m transforms.build")
def main(as_json: Json = False) -> int:
    """Build and publish marts and features from the lake."""
    from transforms.marts import build  # imports Delta and DuckDB, once the options are read

    try:
        result = build(TransformSettings())
    except TransformError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if as_json:
        sys.stdout.write(json.dumps(result.as_json()) + "\n")
    else:
        count = f"{sum(result.rows.values()):,} rows in {len(result.rows)} marts"
        sys.stdout.write(f"{count} as of {result.as_of:%Y-%m-%d %H:%M:%S} UTC: {result.marts}\n")
    for held in result.withheld:
        sys.stderr.write(f"withheld: {held}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
