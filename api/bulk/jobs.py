"""Background work on files of products."""

from api.bulk.commands import forget_old
from api.bulk.reading.work import WORK, read_files
from api.kernel.jobs import Job

JOBS = (
    Job("bulk files", 1.0, read_files, WORK),
    Job("old bulk files", 600.0, forget_old),
)
