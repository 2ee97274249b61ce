"""What the suggestions index holds of a product: its titles with their phrases, and its words."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import tantivy

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.search.documents import shown_title
from api.search.suggestions.phrases import phrases_of
from api.search.suggestions.schema import words_of
from api.search.text import surface_words
from api.search.texts import NO_NAMES, CategoryNames, titles_of

# The greatest length of a word that is kept for corrections.
MAX_WORD = 40


@dataclass(frozen=True, slots=True)
class Title:
    """A title of a product. `readers`: the languages of those who are shown it; `heads` and `parts`: as `Phrases`, each
    behind the language of its readers; `heads` are among the `parts`."""

    product: str
    text: str
    readers: tuple[str, ...]
    weight: int
    heads: tuple[str, ...]
    parts: tuple[str, ...]

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
                "words": list(dict.fromkeys(words_of(self.text))),
                "readers": self.readers,
                "weight": self.weight,
                "heads": self.heads,
                "parts": self.parts,
            }
        ).decode()


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a product; no titles and words when it is not on sale."""

    product: str
    titles: frozenset[Title]
    words: frozenset[str]


def said(product: IndexedProduct, popularity: float, languages: Languages, names: CategoryNames = NO_NAMES) -> Said:
    """`popularity`: as of the product's documents."""
    key = str(product.product_id)
    if not product.live:
        return Said(key, frozenset(), frozenset())
    return Said(key, _titles(product, popularity, languages, names), _words(product, languages))


def _titles(product: IndexedProduct, popularity: float, languages: Languages, names: CategoryNames) -> frozenset[Title]:
    by_language = titles_of(product, languages)
    readers: dict[str, list[str]] = {}
    for language in languages.known:
        text = shown_title(by_language, language)[0] if by_language else product.title
        readers.setdefault(text, []).append(language)
    values = tuple(_values(product))
    leaf = product.category_path.rpartition("/")[2]
    named: Mapping[str, str] = names.get(product.category_path, {})
    found = []
    for text, shown_to in readers.items():
        heads: list[str] = []
        parts: list[str] = []
        for language in shown_to:
            phrases = phrases_of(text, product.brand, named.get(language, leaf), values)
            heads += (keyed(language, phrase) for phrase in phrases.heads)
            parts += (keyed(language, phrase) for phrase in {*phrases.heads, *phrases.parts})
        of_one = (str(product.product_id), text, tuple(shown_to), round(popularity * 10))
        found.append(Title(*of_one, tuple(sorted(heads)), tuple(sorted(parts))))
    return frozenset(found)


def keyed(language: str, phrase: str) -> str:
    """A phrase and the language of its readers as one term; `unkeyed` takes it apart."""
    return f"{language}\t{phrase}"


def unkeyed(key: str) -> tuple[str, str]:
    language, _, phrase = key.partition("\t")
    return language, phrase


def _words(product: IndexedProduct, languages: Languages) -> frozenset[str]:
    """The words that corrections may lead to: of titles, brand, category and the values of attributes; none with a
    digit."""
    texts = [product.title, product.brand or "", product.category_path, *_values(product)]
    texts += titles_of(product, languages).values()
    return frozenset(word for text in texts for word in surface_words(text) if is_word(word))


def is_word(word: str) -> bool:
    """Whether a word may be corrected, or corrected to: one of letters. What has a digit is a code or a measure."""
    return 1 < len(word) <= MAX_WORD and not any(letter.isdigit() for letter in word)


def _values(product: IndexedProduct) -> Iterator[str]:
    for source in (product.specifications, *(variant["attributes"] for variant in product.variants)):
        for value in source.values():
            yield from _texts(value)


def _texts(value: Any) -> Iterable[str]:  # Any: JSON
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str)]
    return [value] if isinstance(value, str) else []
