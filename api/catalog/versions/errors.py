"""Errors of versions."""

from api.kernel.errors import NotFound


class VersionNotFound(NotFound):
    title, code = "No such version", "version-not-found"
