"""The texts of the index by language: which fields hold them, and how their words are read.

Every product has its own texts in the fields of the shop, with its texts in the shop's own language where that is
another, read as that language. For each other language that the catalog may be in there are further fields, for
what is said in it: a product that says nothing there has none of them. A reader of the shop's own language is answered
from the shop's fields alone; a reader of another one from both, so that what nobody has translated stays found.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import tantivy

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import DEFAULT, Languages

# Boosts: a word in the title has three times the weight of one in the description.
TEXT_FIELDS = {"title": 3.0, "brand_text": 2.0, "category_text": 1.5, "description": 1.0, "attribute_text": 1.0}
_BOOSTS = {"title": 3.0, "words": 1.5, "description": 1.0}
# By the first part of a tag; words of other languages are found as they are written.
STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nb": "norwegian", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish",
}  # fmt: skip
# What a category is called in other languages than the shop's: path -> language -> name.
CategoryNames = Mapping[str, Mapping[str, str]]
NO_NAMES: CategoryNames = {}
SHOP = Languages.of(DEFAULT)
# The analyser of what is stored and never looked for: it finds no word in it. The engine has no such field, and would
# make a term of the whole text.
NOT_SEARCHED = "souk_not_searched"


def analyser_name(language: str) -> str:
    return f"souk_{language}"


@cache
def analyser(language: str) -> tantivy.TextAnalyzer:
    """Words, without accents and case, as stems of the language. Tokens over 40 characters are dropped. One text gives
    as many words in every language."""
    name = STEMMERS.get(language.partition("-")[0])
    stem = [] if name is None else [tantivy.Filter.stemmer(name)]
    fold = [tantivy.Filter.ascii_fold()]
    # The endings of most languages have accents of their own; English stems are of words without.
    last = [*fold, *stem] if name == "english" else [*stem, *fold]
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (tantivy.Filter.remove_long(40), tantivy.Filter.lowercase(), *last):
        builder = builder.filter(step)
    return builder.build()


@cache
def no_words() -> tantivy.TextAnalyzer:
    """The analyser NOT_SEARCHED."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    return builder.filter(tantivy.Filter.remove_long(1)).build()


@cache
def fields_in(language: str) -> Mapping[str, float]:
    """The fields of what is said in a language that is not the shop's own, with their boosts: `words` are the names of
    its categories, attributes and values."""
    ending = language.lower().replace("-", "_")
    return {f"{name}_{ending}": boost for name, boost in _BOOSTS.items()}


def texts_of(
    product: IndexedProduct, own: Mapping[str, str], languages: Languages, names: CategoryNames
) -> dict[str, Any]:  # Any: a text, or several
    """The values of the text fields. `own`: of those of TEXT_FIELDS, of the product's own texts."""
    translations = product.translations or {}
    spoken = product.language or languages.own
    texts: dict[str, Any] = dict(own)
    named = [names[path] for path in paths_of(product.category_path) if path in names]
    if not translations and not named and spoken == languages.own:
        return texts
    if spoken != languages.own:
        said = translations.get(languages.own, {})
        texts |= {field: [own[field], said[field]] for field in ("title", "description") if said.get(field)}
    for language in languages.known[1:]:
        said = translations.get(language, {})
        if language == spoken:
            said = {**said, "title": product.title, "description": product.description}
        words = [name[language] for name in named if language in name] + [*said.get("labels", {}).values()]
        values = (said.get("title"), " ".join(words), said.get("description"))
        texts |= {field: value for field, value in zip(fields_in(language), values, strict=True) if value}
    return texts


def titles_of(product: IndexedProduct, languages: Languages) -> dict[str, str]:
    """The product's title by language, its own first; none for one that is in the shop's language alone."""
    spoken = product.language or languages.own
    translated = {name: said["title"] for name, said in (product.translations or {}).items() if "title" in said}
    return {spoken: product.title, **translated} if translated or spoken != languages.own else {}


@lru_cache(10_000)
def paths_of(path: str) -> tuple[str, ...]:
    """The paths of a category and of those above it, the highest first."""
    parts = path.split("/")
    return tuple("/".join(parts[:length]) for length in range(2, len(parts) + 1))


class Tongue:
    """Where the words of a reader are looked for, and how they are read. `fields`: with the boost of each, and the
    place of its form of a word."""

    def __init__(self, languages: Languages, language: str, schema: tantivy.Schema) -> None:
        self.schema = schema
        self._analysers = [analyser(languages.own)]
        self.fields: list[tuple[str, float, int]] = [(name, boost, 0) for name, boost in TEXT_FIELDS.items()]
        if language != languages.own:
            self._analysers.append(analyser(language))
            self.fields += [(name, boost, 1) for name, boost in fields_in(language).items()]
        # The titles in which words stand side by side and from which words are corrected, the reader's language first.
        self.titles = [(name, place) for name, _, place in reversed(self.fields) if name.startswith("title")]

    def words(self, text: str, most: int) -> list[tuple[str, ...]]:
        """Each word of a text as the index has it: in the shop's own language, then in the reader's."""
        forms: Sequence[list[str]] = [one.analyze(text)[:most] for one in self._analysers]
        return list(zip(*forms, strict=True))
