"""What the suggestions index holds of a product: its titles with their phrases, and its words."""

from collections.abc import Iterable, Sequence
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
    `keyed`; the `parts` begin with the `heads`."""

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
        readers, heads, further = (tuple(stored.get_all(name)) for name in ("readers", "heads", "parts"))
        weight = int(str(stored.get_first("weight")))
        return cls(product, str(stored.get_first("text")), readers, weight, heads, (*heads, *further))

    def document(self) -> str:
        """The engine's document, as JSON: each phrase once."""
        return orjson.dumps(
            {
                "product": self.product,
                "text": self.text,
                "words": " ".join(dict.fromkeys(self.words[:MAX_WORDS])),
                "readers": self.readers,
                "weight": self.weight,
                "heads": self.heads,
                "parts": self.parts[len(self.heads) :],
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
    values = _values(product)
    titles = _titles(product, values, popularity, languages, names)
    words = [frozenset(filter(is_word, title.words)) for title in titles]
    return Said(key, titles, _words_of(product.brand or "", product.category_path, *values).union(*words))


def _titles(
    product: IndexedProduct, values: Sequence[str], popularity: float, languages: Languages, names: CategoryNames
) -> frozenset[Title]:
    key, by_language, shown = str(product.product_id), titles_of(product, languages), {product.title: languages.known}
    if by_language:
        readers: dict[str, list[str]] = {}
        for language in languages.known:
            readers.setdefault(shown_title(by_language, language)[0], []).append(language)
        shown = {text: tuple(shown_to) for text, shown_to in readers.items()}
    weight, found = round(popularity * 10), []
    for text, shown_to in shown.items():
        phrases, start = phrases_of(text, product.brand, values), _keyed(shown_to, "")
        of_category = _categories(shown_to, product.category_path, names)
        heads = dict.fromkeys([*of_category, *[start + phrase for phrase in phrases.heads]])
        parts = heads | dict.fromkeys([start + phrase for phrase in phrases.parts])
        words = tuple(surface_words(text))
        found.append(Title(key, text, shown_to, weight, tuple(heads), tuple(parts), words))
    return frozenset(found)


def _categories(readers: tuple[str, ...], path: str, names: CategoryNames) -> Iterable[str]:
    """What a category is called by its readers, keyed."""
    leaf, named = path.rpartition("/")[2], names.get(path)
    if not named:
        return (_keyed(readers, spoken(leaf)),)
    keys = [keyed((tag,), spoken(named[tag])) for tag in readers if tag in named]
    if others := [tag for tag in readers if tag not in named]:
        keys.append(keyed(others, spoken(leaf)))
    return keys


def keyed(readers: Sequence[str], phrase: str) -> str:
    """A phrase and the languages of its readers as one term; `unkeyed` takes it apart.

    What is shown to the readers of several languages is counted for all of them together, so that a catalog of which
    nothing is translated has each phrase once.
    """
    return f"{','.join(readers)}\t{phrase}"


_keyed = lru_cache(20_000)(keyed)


def unkeyed(key: str) -> tuple[list[str], str]:
    readers, _, phrase = key.partition("\t")
    return readers.split(","), phrase


def is_word(word: str) -> bool:
    """Whether a word may be corrected, or corrected to: one of letters. What has a digit is a code or a measure."""
    return 1 < len(word) <= MAX_WORD and (word.isalpha() or not any(map(str.isdigit, word)))


@lru_cache(20_000)
def _words_of(*texts: str) -> frozenset[str]:
    """Of what many products have in common."""
    return frozenset(word for text in texts for word in surface_words(text) if is_word(word))


def _values(product: IndexedProduct) -> tuple[str, ...]:
    sources = [product.specifications, *[variant["attributes"] for variant in product.variants]]
    return tuple([text for source in sources if source for value in source.values() for text in _texts(value)])


def _texts(value: Any) -> Iterable[str]:  # Any: JSON
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return [value] if isinstance(value, str) else []
