"""The number of a report's receipt."""

from uuid import UUID


def report_number(report_id: UUID) -> str:
    """What people call a report: one each, from the random end of its id."""
    return f"REP-{report_id.hex[-12:].upper()}"
