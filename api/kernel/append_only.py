"""The mark of a journal: a table whose rows are written once. `python -m api.operations.migrate` makes Postgres refuse
what would change or remove them (`api/operations/journals.py`)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AppendOnly:
    """`may_change`: columns that say something about the row and not what it books: whether it was sent, or a free text
    that an erasure blanks.

    `goes_with`: the foreign key of the row that it is a row of. It is removed with that one only. Without it, never.
    """

    may_change: tuple[str, ...] = ()
    goes_with: str | None = None
