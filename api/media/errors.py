"""Errors of pictures."""

from api.kernel.errors import NotFound, Unavailable


class PictureNotFound(NotFound):
    title, code = "No such picture", "picture-not-found"


class StoreSilent(Unavailable):
    """The object store does not answer; nothing was changed."""

    title, code = "Pictures cannot be stored or read just now", "picture-store-silent"
