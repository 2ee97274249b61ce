"""Errors of synonyms."""

from api.kernel.errors import Conflict, NotFound


class SynonymNotFound(NotFound):
    title, code = "No such synonym", "synonym-not-found"


class SynonymUnused(Conflict):
    title, code = "The synonym is not in use", "synonym-unused"
