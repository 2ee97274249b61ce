"""What the published marts say of searches: they are as new as the last full build."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import get_args

import duckdb

from api.kernel.context import Context
from api.kernel.logs import get_logger
from api.kernel.marts import PublishedMarts
from api.search.log import statements
from api.search.suggestions.queries import FrequentQuery
from api.search.synonyms.schemas import QueryOrder, SearchedTerm, SearchReport, SearchTotals

log = get_logger(__name__)

# Suggestions are read by a person.
MOST_CANDIDATES = 1_000
MOST_POPULAR = 20_000
_COLUMNS = tuple(SearchedTerm.model_fields)
assert get_args(QueryOrder) == ("frequent", "worst", "empty")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of `mart_search__synonym_candidates`."""

    word: str
    synonym: str
    source: str
    searches: int
    shoppers: int
    products: int
    sellers: int


async def report(ctx: Context, days: int, order: QueryOrder, limit: int) -> SearchReport:
    """The terms of `days` days until the newest with data, at most `limit`: the most frequent ones, those with the most
    searches that led to no click, or those with the most searches without a result."""
    marts = marts_of(ctx)
    newest = await marts.rows_if_there(statements.LAST_DAY, ())
    last: date | None = newest[0][0] if newest else None
    if last is None:
        none = SearchTotals(searches=0, shoppers=0, terms=0, empty_searches=0, clicked_searches=0, carted_searches=0)
        return SearchReport(first_day=None, last_day=None, totals=none, queries=[])
    first = last - timedelta(days=days - 1)
    totals = await marts.rows_if_there(statements.TOTALS, (first, last))
    terms = await marts.rows_if_there(statements.TERMS, {"first": first, "last": last, "order": order, "limit": limit})
    names = tuple(SearchTotals.model_fields)
    return SearchReport(
        first_day=first,
        last_day=last,
        totals=SearchTotals.model_validate(dict(zip(names, totals[0] if totals else (0,) * len(names), strict=True))),
        queries=[SearchedTerm.model_validate(dict(zip(_COLUMNS, row, strict=True))) for row in terms],
    )


async def candidates(ctx: Context) -> list[Candidate]:
    """What may be synonyms, those first that most shoppers say."""
    return [Candidate(*row) for row in await marts_of(ctx).rows_if_there(statements.CANDIDATES, (MOST_CANDIDATES,))]


async def frequent_queries(ctx: Context) -> Sequence[FrequentQuery]:
    """What to complete to, the most frequent first: words that at least three shoppers searched for in the last 30 days
    with searches, that led to a click and found something last. None before the first build, and while the marts cannot
    be read: the index of products does not wait for them."""
    try:
        rows = await marts_of(ctx).rows_if_there(statements.POPULAR, (MOST_POPULAR,))
    except duckdb.Error:
        log.exception("frequent queries cannot be read")
        return ()
    return [FrequentQuery(*row) for row in rows]


def marts_of(ctx: Context) -> PublishedMarts:
    """This process's connection for searches."""
    return _marts(ctx.settings.marts_path)


@lru_cache(maxsize=8)
def _marts(path: Path) -> PublishedMarts:
    return PublishedMarts(path)
