"""Errors of bulk jobs."""

from api.kernel.errors import NotFound, TooManyRequests, ValidationFailed


class BulkJobNotFound(NotFound):
    title, code = "No such bulk job", "bulk-job-not-found"


class FileRefused(ValidationFailed):
    """The file cannot be read at all; `errors` name the columns, or the file by the empty pointer."""

    title, code = "The file cannot be read", "file-refused"


class TooManyBulkJobs(TooManyRequests):
    title, code = "Too many files are waiting", "too-many-bulk-jobs"
