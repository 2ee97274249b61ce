"""Background work on stock."""

from api.inventory.commands import release_expired
from api.kernel.jobs import Job

JOBS = (Job("reservation sweep", 5.0, release_expired),)
