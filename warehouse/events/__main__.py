"""`python -m warehouse.events`: land behaviour events until told to stop. Configuration comes from the environment."""

import sys

from warehouse import failpoints
from warehouse.environment import InvalidSettings
from warehouse.events.main import serve
from warehouse.logs import configure
from warehouse.running import AnotherConsumer
from warehouse.settings import EventSettings
from warehouse.stop import stop_on_signals


def main() -> int:
    """0 clean stop, 2 wrong configuration, 3 a person must act."""
    configure("info")
    try:
        settings = EventSettings()
        failpoints.arm(settings.failpoints, failpoints.POINTS)
    except (InvalidSettings, ValueError) as error:
        print(f"warehouse.events: {error}", file=sys.stderr)
        return 2
    try:
        return serve(settings, stop_on_signals())
    except AnotherConsumer as error:
        print(f"warehouse.events: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
