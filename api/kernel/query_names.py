"""A query parameter that an address does not take is refused: a misspelt filter would otherwise answer with everything.

The rule is for every documented operation. Pages and files for browsers are not documented and take any parameter:
mail programs and advertisers add theirs to links.
"""

from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.kernel.errors import FieldError, ValidationFailed

MOST_NAMED = 20
LONGEST_NAME = 100


@lru_cache(1)
def pairs(query_string: bytes) -> list[tuple[str, str]]:
    """The names and values of a query string. Its names are checked, and then it is read."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)


class QueryNames:
    """The names of the query parameters of one operation."""

    __slots__ = ("_known", "_message")

    def __init__(self, known: list[str]) -> None:
        self._known = frozenset(known)
        self._message = (
            f"unknown; this address takes {', '.join(known)}" if known else "unknown; this address takes no parameters"
        )

    @classmethod
    def of(cls, route: object) -> "QueryNames | None":
        """None for a route that takes any."""
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            return None
        return cls(list(dict.fromkeys(_names(route.dependant))))

    def check(self, query_string: bytes) -> None:
        """Raises: ValidationFailed that names the unknown ones, and the known."""
        unknown = dict.fromkeys([name for name, _ in pairs(query_string) if name not in self._known])
        if unknown:
            raise ValidationFailed(
                "Leave out the query parameters named in `errors`, or correct their names.",
                errors=[FieldError(pointer=_pointer(name), message=self._message) for name in [*unknown][:MOST_NAMED]],
            )


def _pointer(name: str) -> str:
    return "/query/" + name[:LONGEST_NAME].replace("~", "~0").replace("/", "~1")


def _names(needs: Dependant) -> Iterator[str]:
    """The parameters of the endpoint, then of what it depends on."""
    for field in needs.query_params:
        kind = field.field_info.annotation
        if len(needs.query_params) == 1 and isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (inner.alias or name for name, inner in kind.model_fields.items())
        else:
            yield field.alias
    for below in needs.dependencies:
        yield from _names(below)
