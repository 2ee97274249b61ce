"""Background work on votes."""

from api.kernel.jobs import Job
from api.reviews.votes.brigades import set_brigades_aside

JOBS = (Job("brigades of votes", 60.0, set_brigades_aside),)
