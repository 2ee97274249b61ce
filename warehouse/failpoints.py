"""Named places where a test may kill, break or delay the process.

In production every `hit` is one dictionary look-up.

`SOUK_FAILPOINTS="cdc.before_watermark=kill,cdc.fold_mid=sleep:2"`; with a count a point fires at its n-th passage:
`cdc.mid_tables@3=kill`. Each armed point fires once.
"""

import os
import signal
import time

POINTS = frozenset(
    {
        "cdc.after_slot",
        "cdc.snapshot_mid",
        "cdc.snapshot_before_watermark",
        "cdc.snapshot_after_watermark",
        "cdc.after_receive",
        "cdc.before_tables",
        "cdc.mid_tables",
        "cdc.before_watermark",
        "cdc.after_watermark",
        "cdc.before_feedback",
        "cdc.after_feedback",
        "cdc.spill_mid",
        "cdc.fold_mid",
        "cdc.fold_after",
        "cdc.compact_mid",
    }
)


class FailpointError(RuntimeError):
    """Raised by an armed point with the action `error`."""


_armed: dict[str, tuple[int, str]] = {}


def arm(spec: str) -> None:
    """Replace what is armed by `name[@count]=action[,...]`; raises ValueError on an unknown point or action."""
    _armed.clear()
    for item in filter(None, (part.strip() for part in spec.split(","))):
        place, _, action = item.partition("=")
        name, _, count = place.partition("@")
        if not name.startswith("cdc."):
            continue  # the variable is shared by all processes; other packages own other prefixes
        if name not in POINTS:
            raise ValueError(f"unknown failpoint {name!r}; known: {', '.join(sorted(POINTS))}")
        if action not in ("kill", "error") and not action.startswith("sleep:"):
            raise ValueError(f"unknown action {action!r} for failpoint {name!r}; use kill, error or sleep:SECONDS")
        _armed[name] = (int(count or 1), action)


def hit(name: str) -> None:
    """Pass the point: nothing unless it is armed and its count is reached."""
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
    elif action == "error":
        raise FailpointError(f"failpoint {name}")
    else:
        time.sleep(float(action.partition(":")[2]))
