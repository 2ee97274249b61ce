"""Errors of search."""

from api.kernel.errors import FieldError, Unavailable, ValidationFailed


class BadFilter(ValidationFailed):
    """A part of `filters` that is invalid; the message names it."""

    title, code = "A filter cannot be understood", "bad-filter"

    def __init__(self, part: str, expected: str) -> None:
        super().__init__(
            "Correct `filters`; the parts are NAME:VALUE, separated by commas; values with commas stand in double"
            " quotes, in which a double quote is doubled.",
            errors=[FieldError(pointer="/query/filters", message=f"{part!r}: {expected}")],
        )


class IndexNotReady(Unavailable):
    """The index is being built for the first time."""

    title, code = "Search is being prepared", "search-not-ready"
