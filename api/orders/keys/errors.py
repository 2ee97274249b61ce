"""Why no keys are taken."""

from api.kernel.errors import Conflict


class NotDigital(Conflict):
    title, code = "The product is sent", "not-digital"


class HasFile(Conflict):
    """A variant is licence keys, or a file."""

    title, code = "The variant has a file", "has-digital-file"
