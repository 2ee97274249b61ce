"""Background work on exchanges: finish those whose process died, or undo them when nothing was ordered."""

from api.checkout.exchanges.finishing import complete_abandoned
from api.kernel.jobs import Job

JOBS = (Job("exchange completer", 5.0, complete_abandoned, calms=True),)
