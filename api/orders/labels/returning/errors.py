"""Why a return has no label."""

from api.kernel.errors import NotFound


class NoReturnLabel(NotFound):
    """`returnStatus` in the document."""

    title, code = "The return has no label", "return-label-not-found"
