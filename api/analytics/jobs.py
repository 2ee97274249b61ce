"""Background work on what the marts say."""

from api.analytics.suspicions import Suspects
from api.kernel.jobs import Job

JOBS = (Job("reviews that the marts suspect", 30.0, Suspects().gather),)
