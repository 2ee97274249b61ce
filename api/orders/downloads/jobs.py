"""Background work on files that are sold."""

from api.kernel.jobs import Job
from api.orders.downloads.commands import delete_orphans

JOBS = (Job("objects without a file", 3_600.0, delete_orphans),)
