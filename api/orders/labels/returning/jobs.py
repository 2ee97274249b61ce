"""Background work on returns: those whose label no carrier was asked for yet."""

from api.kernel.jobs import Job
from api.orders.labels.returning.commands import label_returns

JOBS = (Job("labels of returns", 2.0, label_returns, calms=True),)
