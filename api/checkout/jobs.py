"""Background work on checkouts: complete those whose process died."""

from api.checkout.commands import complete_abandoned
from api.kernel.jobs import Job

JOBS = (Job("checkout completer", 1.0, complete_abandoned, calms=True),)
