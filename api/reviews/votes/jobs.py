"""Background work on votes."""

from api.kernel.jobs import Job
from api.reviews.votes.brigades import Brigades

JOBS = (Job("brigades of votes", 60.0, Brigades().set_aside),)
