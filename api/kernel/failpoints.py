"""Named places where a test may kill, fail or delay a process: `SOUK_FAILPOINTS="checkout.after_capture=kill"`.

With a count a point acts at its n-th passage: `cdc.mid_tables@3=sleep:2`. An armed point acts once. In production,
passing one is a lookup in an empty dictionary.

`warehouse/failpoints.py` and `api/kernel/failpoints.py` are one text in two places except for POINTS, because neither
side may import the other; a test compares them.
"""

import os
import re
import signal
import time
from collections.abc import Collection

POINTS = frozenset({"outbox.before_publish", "outbox.after_publish"})
# What stands before the dot in every point's name. All processes read one variable, and each arms its own points.
PREFIXES = frozenset(
    {
        "bulk",
        "cdc",
        "checkout",
        "events",
        "invoices",
        "mail",
        "media",
        "orders",
        "outbox",
        "reviews",
        "schedules",
        "shipping",
    }
)
_ENTRY = re.compile(r"(?P<name>[^@=]+)(?:@(?P<count>[1-9]\d*))?=(?P<action>kill|error|sleep:\d+(?:\.\d+)?)")


class FailpointError(RuntimeError):
    """Raised by an armed point with action `error`."""


class UnknownFailpoint(ValueError):
    """SOUK_FAILPOINTS contains an unknown name or action.

    It is an error, because a chaos test with a typo would pass without testing anything.
    """


_armed: dict[str, tuple[int, str]] = {}


def arm(spec: str, known: Collection[str]) -> None:
    """Replace what is armed by `name[@count]=action[,...]`; actions are `kill`, `error` and `sleep:SECONDS`.

    `known`: the points of this process. Points with a prefix of another process are skipped. Raises: UnknownFailpoint
    for any other name, and for an entry of another form; then nothing changes.
    """
    foreign = PREFIXES - {_prefix(name) for name in known}
    armed: dict[str, tuple[int, str]] = {}
    for item in filter(None, (part.strip() for part in spec.split(","))):
        entry = _ENTRY.fullmatch(item)
        if entry is None:
            raise UnknownFailpoint(
                f"SOUK_FAILPOINTS: {item!r} is not NAME=ACTION or NAME@COUNT=ACTION with the action kill, error or"
                " sleep:SECONDS"
            )
        name = entry["name"]
        if name in known:
            armed[name] = (int(entry["count"] or 1), entry["action"])
        elif _prefix(name) not in foreign:
            raise UnknownFailpoint(
                f"SOUK_FAILPOINTS: no point is called {name!r}; points are {', '.join(sorted(known))}"
            )
    _armed.clear()
    _armed.update(armed)


def hit(name: str) -> None:
    """Pass the point `name`: does nothing unless it is armed and its count is reached.

    `sleep` blocks the whole process, to simulate a paused one.
    """
    armed = _armed.get(name)
    if armed is None:
        return
    count, action = armed
    if count > 1:
        _armed[name] = (count - 1, action)
        return
    del _armed[name]
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "error":
        raise FailpointError(name)
    time.sleep(float(action.removeprefix("sleep:")))


def _prefix(name: str) -> str:
    return name.partition(".")[0]
