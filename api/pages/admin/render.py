"""Renders the administrators' pages as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from api.pages.admin.entry import environment
from api.search.synonyms.schemas import QueryOrder, SearchReport, SynonymBody, SynonymState

PERIODS = (7, 30, 90, 365)
ORDERS: dict[QueryOrder, str] = {"frequent": "Most frequent", "worst": "Without a click", "empty": "Without a result"}
STATES: dict[SynonymState, str] = {
    "suggested": "Suggested", "accepted": "Accepted", "refused": "Refused", "removed": "Removed",
}  # fmt: skip
# What a form did, as the page after it says it; the address carries only the key.
SAID = {
    "accepted": "Accepted. Searches use it within seconds.",
    "refused": "Refused. It is not suggested again.",
    "removed": "Removed. Searches use it no longer.",
    "suggested": "New suggestions wait below.",
    "nothing": "There is nothing to suggest that is not known.",
    "elsewhere": "It was decided otherwise meanwhile; the list below is as it is now.",
}
_environment = environment(Path(__file__).parent / "templates")


@dataclass(frozen=True, slots=True)
class View:
    """What the page of searches shows; its address says the same."""

    days: int
    order: QueryOrder
    state: SynonymState
    page: int

    def address(self, **changes: Any) -> str:  # Any: fields of this class
        """Of this page with other choices; the first page of another list."""
        other = replace(self, **({"page": 1} | changes))
        values = {"days": other.days, "order": other.order, "state": other.state, "page": other.page}
        return f"/admin/search?{urlencode(values)}"


def searches_page(
    view: View,
    report: SearchReport,
    synonyms: Sequence[SynonymBody],
    *,
    more: bool,
    csrf: str,
    said: str | None,
    error: str | None,
    typed: tuple[str, str, str],
) -> str:
    """What is searched for, and the synonyms in one state. `typed`: what the form of a pair held when it was wrong."""
    return _environment.get_template("search.html").render(
        view=view,
        report=report,
        synonyms=synonyms,
        more=more,
        csrf=csrf,
        said=said,
        error=error,
        typed=typed,
        periods=PERIODS,
        orders=ORDERS,
        states=STATES,
    )


def in_words(error: ValidationError) -> str:
    """What is wrong with a pair, for who typed it."""
    first = error.errors()[0]
    field = {"word": "The first expression", "synonym": "The second expression", "language": "The language"}
    where = field.get(str(first["loc"][0]) if first["loc"] else "", "")
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else f"{message[:1].upper()}{message[1:]}."


def percent(value: float | None) -> str:
    """`12.5 %`; a dash where it is not known."""
    return "–" if value is None else f"{value:.1%}".replace("%", " %")


def why(one: SynonymBody) -> str:
    """Why it is suggested, or who said so."""
    reasons = []
    if one.shoppers:
        reasons.append(f"{one.shoppers:,} shoppers tried one, then found something by the other")
    if one.sellers:
        reasons.append(f"titles of {one.sellers:,} sellers say both")
    return "; ".join(reasons) if reasons else "typed in by an administrator"


_environment.filters.update(percent=percent, why=why)
