"""Ways on from a search that found nothing: each says how much it would find."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from api.kernel.languages import Reader
from api.search.answer.counts import category_rows
from api.search.answer.names import Known
from api.search.engine.index import SearchIndex, SearchQuery
from api.search.filters import Filters

MOST_WORDS = 6
MOST_CATEGORIES = 5


async def help_of(index: SearchIndex, query: SearchQuery, known: Known, reader: Reader) -> dict[str, Any]:
    """The body of a SearchHelp. Costs some searches, of one that found nothing."""
    asked = replace(query, limit=1, offset=0, after=None, sort="relevance", explain=False)
    filters = []
    for name, others in _without_each(query.filters):
        total = (await index.search(replace(asked, filters=others))).total
        if total:
            filters.append({"name": name, "totalResults": total})
    words = query.text.split()[:MOST_WORDS]
    fewer = []
    for place in range(len(words) if len(words) > 1 else 0):
        text = " ".join(words[:place] + words[place + 1 :])
        total = (await index.search(replace(asked, text=text))).total
        if total:
            fewer.append({"query": text, "totalResults": total})
    everything = await index.search(replace(asked, text="", filters=Filters(), without=()))
    return {
        "spelling": (await index.complete(query.text, 3, query.language)) if query.text.strip() else [],
        "fewerWords": sorted(fewer, key=lambda one: -int(str(one["totalResults"]))),
        "filters": filters,
        "categories": category_rows(everything, known, reader)[:MOST_CATEGORIES],
    }


def _without_each(filters: Filters) -> Iterator[tuple[str, Filters]]:
    """The filters without each that was asked for, by its name."""
    for name in filters.names:
        if name.startswith("attr."):
            attribute = name.removeprefix("attr.")
            rest = {one: values for one, values in filters.attributes.items() if one != attribute}
            yield name, replace(filters, attributes=rest)
        else:
            yield name, replace(filters, **{_FIELDS[name]: getattr(_NONE, _FIELDS[name])})


_NONE = Filters()
_FIELDS = {
    "brand": "brands", "category": "categories", "price": "prices", "rating": "ratings", "prime": "prime",
    "inStock": "in_stock",
}  # fmt: skip
