"""Why a file is not taken, or not given."""

from api.kernel.errors import Conflict, NotFound, Problem, Unavailable


class EmptyFile(Conflict):
    title, code = "The file is empty", "empty-file"


class HasKeys(Conflict):
    """A variant is licence keys, or a file."""

    title, code = "The variant has licence keys", "has-licence-keys"


class LinkNotValid(NotFound):
    """Also for a link that was changed, or made by another shop."""

    title, code = "There is no such download", "download-link-not-valid"

    def __init__(self) -> None:
        super().__init__("Open your order, and take the link that stands there.")


class LinkExpired(Problem):
    status, title, code = 410, "The link has expired", "download-link-expired"


class DownloadsUsedUp(Problem):
    status, title, code = 410, "The downloads are used up", "downloads-used-up"


class DownloadOver(Problem):
    """Its time is over, or the line was returned."""

    status, title, code = 410, "The right to download is over", "download-over"


class FileNotFound(NotFound):
    title, code = "The variant has no file", "no-digital-file"


class FilesSilent(Unavailable):
    """The object store does not answer; nothing was changed."""

    title, code = "Files cannot be stored or read just now", "file-store-silent"
