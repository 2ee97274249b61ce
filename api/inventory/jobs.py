"""Background work on stock."""

from api.inventory.commands import release_expired
from api.kernel.jobs import Job

JOBS = (Job("reservation expiry", 5.0, release_expired, calms=True),)
