"""Background work on what is delivered online."""

from api.kernel.jobs import Job
from api.orders.digital.commands import deliver_due

JOBS = (Job("digital deliveries", 1.0, deliver_due),)
