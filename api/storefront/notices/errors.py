"""Errors of reports about products."""

from api.kernel.errors import Conflict, Forbidden, NotFound


class OwnProduct(Forbidden):
    title, code = "This is your own product", "own-product"


class ReportNotFound(NotFound):
    title, code = "No such report", "report-not-found"


class DecisionNotFound(NotFound):
    title, code = "No such decision", "decision-not-found"

    def __init__(self) -> None:
        super().__init__("There is no decision with this id.")


class ReportsChanged(Conflict):
    """There are other reports than those that were seen."""

    title, code = "There are other reports now", "reports-changed"


class ReportsDecided(Conflict):
    """`decision` in the document: what was decided."""

    title, code = "This was decided already", "reports-decided"


class NotContestable(Conflict):
    title, code = "Nothing can be said against this decision", "not-contestable"


class AlreadyContested(Conflict):
    title, code = "The decision was contested already", "already-contested"
