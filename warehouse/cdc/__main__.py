"""`python -m warehouse.cdc`: replicate until told to stop. Configuration comes from the environment only."""

import sys

from warehouse import failpoints
from warehouse.cdc.main import serve
from warehouse.environment import InvalidSettings
from warehouse.imports import leave_out
from warehouse.logs import configure
from warehouse.running import AnotherConsumer
from warehouse.settings import WarehouseSettings
from warehouse.stop import stop_on_signals


def main() -> int:
    """0 clean stop, 2 wrong configuration, 3 a person must act."""
    configure("info")
    leave_out("pandas")
    try:
        settings = WarehouseSettings()
        failpoints.arm(settings.failpoints, failpoints.POINTS)
        settings.source_url  # noqa: B018 - reports a missing variable at once
    except (InvalidSettings, ValueError) as error:
        print(f"warehouse.cdc: {error}", file=sys.stderr)
        return 2
    try:
        return serve(settings, stop_on_signals())
    except AnotherConsumer as error:
        print(f"warehouse.cdc: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
