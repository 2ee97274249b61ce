"""The counts of a search as they are answered, made once for each language of equal counts."""

import orjson

from api.catalog.facets import price_range_label
from api.kernel.languages import Reader
from api.search.answer.names import Known
from api.search.engine.index import Found

# Those of most products: a category has at least as many as each one below it.
MAX_CATEGORIES = 50


def facets_json(found: Found, known: Known, reader: Reader) -> bytes:
    """The JSON of a Facets."""
    written = found.shown.get((known, reader.language))
    if written is None:
        categories = [known.written(category, reader) + b"%d}" % n for category, n in _categories(found, known)]
        written = found.shown[known, reader.language] = orjson.dumps(
            {
                "brands": [{"name": name, "count": count} for name, count in found.brands],
                "moreBrands": found.more_brands,
                "categories": orjson.Fragment(b"[%b]" % b",".join(categories)),
                "priceRanges": [
                    {"range": price_range_label(bucket), "count": count} for bucket, count in found.price_ranges
                ],
                "ratings": [{"rating": step, "count": count} for step, count in found.ratings],
                "attributes": _attributes(found, known, reader),
            }
        )
    return written


def category_rows(found: Found, known: Known, reader: Reader) -> list[dict[str, object]]:
    """Each with the products of all below it, the most frequent first; a category before those below it."""
    return [{**known.row(category, reader), "count": count} for category, count in _categories(found, known)]


def _categories(found: Found, known: Known) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for category, count in found.categories:
        for one in known.above(category):
            counts[one] = counts.get(one, 0) + count
    rows = sorted((-count, known.categories[one].path, one) for one, count in counts.items())
    return [(one, -count) for count, _, one in rows[:MAX_CATEGORIES]]


def _attributes(found: Found, known: Known, reader: Reader) -> list[dict[str, object]]:
    """Those that a category calls a facet first, and otherwise as they were counted."""
    listed: list[tuple[bool, dict[str, object]]] = []
    for attribute in found.attributes:
        definition = known.labels.get(attribute.key)
        label, language = (
            reader.text(definition.label, (definition.labels or {}).get(reader.language))
            if definition is not None
            else (attribute.name, None)
        )
        shown: dict[str, object] = {
            "name": attribute.name,
            "label": label,
            "labelLanguage": language,
            "values": [{"name": value, "count": count} for value, count in attribute.values],
            "moreValues": attribute.more,
        }
        listed.append((definition is None or not definition.facet, shown))
    return [shown for _, shown in sorted(listed, key=lambda one: one[0])]
