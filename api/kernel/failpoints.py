"""Named places where a test may kill, fail or delay a process, each declared in the `failpoints.py` of its folder.

In production, passing one is a lookup in an empty dictionary.
"""

import os
import signal
import time
from collections.abc import Collection

POINTS = frozenset({"outbox.before_publish", "outbox.after_publish"})


class FailpointError(RuntimeError):
    """Raised by an armed point with action `error`."""


class UnknownFailpoint(ValueError):
    """SOUK_FAILPOINTS contains an unknown name or action.

    It is an error, because a chaos test with a typo would pass without testing anything.
    """


_armed: dict[str, str] = {}


def arm(spec: str, known: Collection[str]) -> None:
    """Arm `name=action[,name=action]`, names from `known`; actions are `kill`, `error` and `sleep:SECONDS`.

    Each fires once.
    """
    for part in filter(None, (piece.strip() for piece in spec.split(","))):
        name, _, action = part.partition("=")
        if name not in known or not (action in {"kill", "error"} or action.startswith("sleep:")):
            raise UnknownFailpoint(
                f"SOUK_FAILPOINTS: unknown point or action in {part!r}; points are {', '.join(sorted(known))}"
            )
        _armed[name] = action


def hit(name: str) -> None:
    """Pass the point `name`: does nothing unless it is armed.

    `sleep` blocks the whole process, to simulate a paused one.
    """
    action = _armed.pop(name, None) if _armed else None
    if action is None:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "error":
        raise FailpointError(name)
    time.sleep(float(action.removeprefix("sleep:")))
