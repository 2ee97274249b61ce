"""Errors of offer matches."""

from api.kernel.errors import Conflict, NotFound


class MatchNotFound(NotFound):
    title, code = "No such offer match", "offer-match-not-found"


class MatchDecided(Conflict):
    """`decision` in the document: what was decided."""

    title, code = "The match was decided otherwise", "offer-match-decided"
