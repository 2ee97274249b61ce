"""Background work on feeds: they are looked at every minute, and made when they are old."""

from api.kernel.jobs import Job
from api.syndication.making import make_when_due

JOBS = (Job("product feeds", 60.0, make_when_due),)
