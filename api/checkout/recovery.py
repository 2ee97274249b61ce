"""The recovery points of the checkout saga, in order; each is committed before the next step begins.

started -> reserved (stock held) -> created (order pending) -> authorised (money held) -> confirmed (order, stock) ->
captured -> completed. compensating (void, release, cancel) -> failed, from any point before the order is confirmed.
"""

RECOVERY_POINTS = (
    "started",
    "reserved",
    "created",
    "authorised",
    "confirmed",
    "captured",
    "completed",
    "compensating",
    "failed",
)
TERMINAL = frozenset({"completed", "failed"})
