"""What the suggestions index holds of a product: its titles with their phrases, and its words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
import tantivy

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.search.documents import shown_title
from api.search.suggestions.phrases import phrases_of, spoken
from api.search.suggestions.schema import MAX_WORDS
from api.search.text import surface_words
from api.search.texts import NO_NAMES, CategoryNames, titles_of

# The greatest length of a word that is kept for corrections.
MAX_WORD = 40


@dataclass(frozen=True, slots=True)
class Title:
    """A title of a product. `readers`: the languages of those who are shown it; `heads` and `parts`: as `Phrases`, each
    `keyed`; `heads` are among the `parts`."""

    product: str
    text: str
    readers: tuple[str, ...]
    weight: int
    heads: tuple[str, ...]
    parts: tuple[str, ...]
    # Those of the text, which make no difference of their own.
    words: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def read(cls, product: str, stored: tantivy.Document) -> "Title":
        readers, heads, parts = (tuple(stored.get_all(name)) for name in ("readers", "heads", "parts"))
        return cls(product, str(stored.get_first("text")), readers, int(str(stored.get_first("weight"))), heads, parts)

    def document(self) -> str:
        """The engine's document, as JSON."""
        return orjson.dumps(
            {
                "product": self.product,
                "text": self.text,
                "words": " ".join(dict.fromkeys(self.words[:MAX_WORDS])),
                "readers": self.readers,
                "weight": self.weight,
                "heads": self.heads,
                "parts": self.parts,
            }
        ).decode()


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a product; no titles and words when it is not on sale. `words`: those that corrections may lead
    to, of titles, brand, category and the values of attributes."""

    product: str
    titles: frozenset[Title]
    words: frozenset[str]


def said(product: IndexedProduct, popularity: float, languages: Languages, names: CategoryNames = NO_NAMES) -> Said:
    """`popularity`: as of the product's documents."""
    key = str(product.product_id)
    if not product.live:
        return Said(key, frozenset(), frozenset())
    values = tuple(_values(product))
    titles = _titles(product, values, popularity, languages, names)
    words = {word for title in titles for word in title.words}
    words.update(*map(_words_of, (product.brand or "", product.category_path, *values)))
    return Said(key, titles, frozenset(filter(is_word, words)))


def _titles(
    product: IndexedProduct, values: Sequence[str], popularity: float, languages: Languages, names: CategoryNames
) -> frozenset[Title]:
    by_language = titles_of(product, languages)
    readers: dict[str, list[str]] = {}
    for language in languages.known if by_language else ():
        readers.setdefault(shown_title(by_language, language)[0], []).append(language)
    leaf = product.category_path.rpartition("/")[2]
    named = names.get(product.category_path, {})
    found = []
    for text, shown_to in readers.items() if by_language else [(product.title, languages.known)]:
        phrases = phrases_of(text, product.brand, values)
        key = keyed(shown_to, "")
        categories = {keyed((tag,), spoken(named[tag])) for tag in shown_to if tag in named}
        if not all(tag in named for tag in shown_to):
            categories.add(keyed([tag for tag in shown_to if tag not in named], spoken(leaf)))
        heads = categories.union([key + phrase for phrase in phrases.heads])
        parts = heads.union([key + phrase for phrase in phrases.parts])
        of_one = (str(product.product_id), text, tuple(shown_to), round(popularity * 10))
        found.append(Title(*of_one, tuple(sorted(heads)), tuple(sorted(parts)), tuple(surface_words(text))))
    return frozenset(found)


def keyed(readers: Sequence[str], phrase: str) -> str:
    """A phrase and the languages of its readers as one term; `unkeyed` takes it apart.

    What is shown to the readers of several languages is counted for all of them together, so that a catalog of which
    nothing is translated has each phrase once.
    """
    return f"{','.join(readers)}\t{phrase}"


def unkeyed(key: str) -> tuple[list[str], str]:
    readers, _, phrase = key.partition("\t")
    return readers.split(","), phrase


@lru_cache(100_000)
def is_word(word: str) -> bool:
    """Whether a word may be corrected, or corrected to: one of letters. What has a digit is a code or a measure."""
    return 1 < len(word) <= MAX_WORD and not any(letter.isdigit() for letter in word)


@lru_cache(20_000)
def _words_of(text: str) -> tuple[str, ...]:
    """Of what many products have in common."""
    return tuple(surface_words(text))


def _values(product: IndexedProduct) -> Iterator[str]:
    for source in (product.specifications, *(variant["attributes"] for variant in product.variants)):
        for value in source.values():
            yield from _texts(value)


def _texts(value: Any) -> Iterable[str]:  # Any: JSON
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return [value] if isinstance(value, str) else []
