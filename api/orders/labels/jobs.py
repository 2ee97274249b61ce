"""Background work on labels: those whose carrier did not answer, or whose process died before it wrote the answer."""

from api.kernel.jobs import Job
from api.orders.labels.commands import settle_labels

JOBS = (Job("labels", 5.0, settle_labels, calms=True),)
