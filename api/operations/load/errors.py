"""The errors of a load, with messages for the operator. Exit code 2; the database is unchanged."""

from pathlib import Path


class LoadError(Exception):
    """A load that failed. The message has the reason and what to do."""


class DataFileError(LoadError):
    """A data file that cannot be used.

    `line` counts from 1 and includes the header; None when the whole file is at fault.
    """

    def __init__(self, file: Path, line: int | None, column: str | None, message: str) -> None:
        place = (
            f"{file}"
            + (f", line {line}" if line is not None else "")
            + (f", column {column}" if column is not None else "")
        )
        super().__init__(f"{place}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message


class OtherSetLoaded(LoadError):
    """Another set of this kind is in the database already; names, numbers and customers of the two would collide."""


class GatewayUnavailable(LoadError):
    """The sandbox gateway did not take its part of the history.

    Loading again finishes it: its import is idempotent by key.
    """
