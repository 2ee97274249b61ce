"""Background work on parcels on their way: scans that were kept, and parcels of which nothing is heard any more."""

from api.kernel.jobs import Job
from api.orders.tracking.commands.losses import lose_silent
from api.orders.tracking.commands.scans import follow_due

JOBS = (Job("kept scans", 2.0, follow_due, calms=True), Job("lost parcels", 600.0, lose_silent))
