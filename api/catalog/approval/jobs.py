"""Background work on what waits for a decision."""

from api.catalog.approval.commands import judge_verified
from api.kernel.jobs import Job

JOBS = (Job("products of verified sellers", 2.0, judge_verified, calms=True),)
