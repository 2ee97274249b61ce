"""Background work on review requests."""

from api.kernel.jobs import Job
from api.reviews.requests.commands import send_due

JOBS = (Job("review requests", 5.0, send_due, calms=True),)
