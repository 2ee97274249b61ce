"""Background work on scheduled changes: one read of an index each second while nothing is due."""

from api.catalog.schedules.commands import do_due
from api.kernel.jobs import Job

JOBS = (Job("scheduled changes", 1.0, do_due),)
