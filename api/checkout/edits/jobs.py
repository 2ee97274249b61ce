"""Background work on edits: complete those whose process died, and forget those that nobody committed."""

from api.checkout.edits.commands import complete_abandoned
from api.kernel.jobs import Job

JOBS = (Job("edit completer", 5.0, complete_abandoned),)
