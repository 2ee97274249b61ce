"""Words that people use, whatever a catalog has: one of them is no typing error."""

import gzip
import importlib.util
from functools import cache
from pathlib import Path

import orjson

from api.search.text import surface_words

# `sofa` is the 7,074th word of English. Of the words of a real catalog with one random error, 1 % are among so many.
MOST = 10_000
_PACKAGE = "spellchecker"


@cache
def real_words(language: str) -> frozenset[str]:
    """The most frequent words of a language (its tag), as the text rule gives them; none of one that is not known."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise AssertionError("pyspellchecker is installed with the api")
    file = Path(found.origin).parent / "resources" / f"{language.partition('-')[0]}.json.gz"
    if not file.is_file():
        return frozenset()
    counts: dict[str, int] = orjson.loads(gzip.decompress(file.read_bytes()))
    least = sorted(counts.values())[-min(MOST, len(counts))]
    return frozenset(form for word, count in counts.items() if count >= least for form in surface_words(word))
