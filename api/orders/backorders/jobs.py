"""Background work on parcels that wait for units."""

from api.kernel.jobs import Bell, Job
from api.orders.backorders.commands import cover, tell_late

# Rings when an event says that units have come or are owed no more.
CAME = Bell()
JOBS = (Job("backorders", 30.0, cover, CAME), Job("late backorders", 300.0, tell_late))
