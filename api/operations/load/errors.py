"""What can go wrong in a load, in words for the person who started it. Exit code 2; the database is as it was."""

from pathlib import Path


class LoadError(Exception):
    """A load that did not happen. The message says why and what to do."""


class DataFileError(LoadError):
    """A data file that cannot be used. `line` counts from 1 and includes the header; None when the whole file is at
    fault."""

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
    """A different set of this kind is in the database already; two would share names, numbers and customers."""


class GatewayUnavailable(LoadError):
    """The sandbox gateway did not take its part of the history. Loading again finishes it: its import is idempotent by
    key."""
