"""The texts of the index by language: which fields hold them, and how their words are read.

Every product has its own texts in the fields of the shop, with its texts in the shop's own language where that is
another, read as that language. For each other language that the catalog may be in there are further fields, for
what is said in it: a product that says nothing there has none of them. A reader of the shop's own language is answered
from the shop's fields alone; a reader of another one from both, so that what nobody has translated stays found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

import tantivy

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import DEFAULT, Languages
from api.search import weights
from api.search.text import LONGEST, prepared, stemmed, surface

# By the first part of a tag; words of other languages are found as they are written.
STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nb": "norwegian", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish",
}  # fmt: skip
KEPT_STEMS = 20_000
# Of one language, of the words of products: with fewer, the engine reads the same words again.
KEPT_INDEXED_STEMS = 300_000
# What a category is called in other languages than the shop's: path -> language -> name.
CategoryNames = Mapping[str, Mapping[str, str]]
NO_NAMES: CategoryNames = {}
SHOP = Languages.of(DEFAULT)
# The analysers of stems and of surface forms: words are separated already, and stay as they are. The engine has the
# first; the second leaves out what is too long.
STEMS, SURFACE = "whitespace", "souk_surface"
# The analyser of what is stored and never looked for: it finds no word in it. The engine has no such field, and would
# make a term of the whole text.
NOT_SEARCHED = "souk_not_searched"


@cache
def analyser(language: str) -> tantivy.TextAnalyzer:
    """The stems of a language, of words that the text rule has separated."""
    name = STEMMERS.get(language.partition("-")[0])
    return _analyser(*([] if name is None else [tantivy.Filter.stemmer(name)]))


@cache
def surface_words() -> tantivy.TextAnalyzer:
    """The analyser SURFACE."""
    return _analyser()


class Stems(dict[str, str]):
    """What the index has for each word of a prepared text in one language, nothing for one that is too long; filled as
    words are met, since products have the same ones again and again."""

    def __init__(self, language: str) -> None:
        self._analyser = analyser(language)

    def __missing__(self, word: str) -> str:
        if len(self) >= KEPT_INDEXED_STEMS:
            self.clear()
        stem = next(iter(self._analyser.analyze(word)), "")
        # One string where they are equal: looking it up has read it already.
        self[word] = stem = word if stem == word else stem
        return stem

    def of(self, text: str) -> str:
        """Of a prepared text, separated by blanks."""
        return " ".join(map(self.__getitem__, text.split()))


stems_in = cache(Stems)


def _analyser(*further: tantivy.Filter) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    # In bytes, of which a letter has up to four.
    for step in (tantivy.Filter.remove_long(4 * LONGEST), *further):
        builder = builder.filter(step)
    return builder.build()


@cache
def no_words() -> tantivy.TextAnalyzer:
    """The analyser NOT_SEARCHED."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    return builder.filter(tantivy.Filter.remove_long(1)).build()


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of the fields of a language. `text`: the stems of all that is said, each word as often as its place
    counts; `title`: those of the title and of the category's own name, in their places; `surface`: the words of all but
    descriptions as they are written."""

    text: str
    title: str
    surface: str

    @property
    def all(self) -> tuple[str, str, str]:
        return self.text, self.title, self.surface


@cache
def fields_in(language: str | None) -> Fields:
    """None: the shop's own."""
    ending = "" if language is None else "_" + language.lower().replace("-", "_")
    return Fields(f"text{ending}", f"title{ending}", f"surface{ending}")


def texts_of(
    product: IndexedProduct, values: Sequence[str], languages: Languages, names: CategoryNames
) -> dict[str, str]:
    """The values of the text fields. `values`: those of its attributes."""
    translations = product.translations or {}
    own = languages.own
    spoken = product.language or own
    category = product.category_path.replace("/", " ")
    titles, descriptions = [product.title], [product.description or ""]
    named = [names[path] for path in paths_of(product.category_path) if path in names] if names else []
    plain = not translations and not named and spoken == own
    if not plain and spoken != own:
        said = translations.get(own, {})
        titles += filter(None, [said.get("title")])
        descriptions += filter(None, [said.get("description")])
    kind = product.category_path.rpartition("/")[2]
    texts = _Said(titles, product.brand or "", category, kind, values, descriptions).fields(fields_in(None), own)
    if plain:
        return texts
    for language in languages.known[1:]:
        said = translations.get(language, {})
        if language == spoken:
            said = {**said, "title": product.title, "description": product.description}
        title, description = said.get("title"), said.get("description")
        categories = " ".join(name[language] for name in named if language in name)
        labels = [label for of, label in said.get("labels", {}).items() if of in values]
        if title or description or categories or labels:
            titles = [title] if title else []
            kind = names.get(product.category_path, {}).get(language, "")
            texts |= _Said(titles, "", categories, kind, labels, [description or ""]).fields(
                fields_in(language), language
            )
    return texts


class _Said(NamedTuple):
    """What a product says in one language. `kind`: the name of its category, without those above; `values`: of its
    attributes."""

    titles: Sequence[str]
    brand: str
    category: str
    kind: str
    values: Sequence[str]
    descriptions: Sequence[str]

    def fields(self, names: Fields, language: str) -> dict[str, str]:
        stems = stems_in(language)
        title = " ".join(map(prepared, self.titles))
        brand, stemmed_brand = _read(language, (self.brand,))
        category, stemmed_category = _read(language, (self.category,))
        values, stemmed_values = _read(language, tuple(self.values))
        stemmed_title, (_, stemmed_kind) = stems.of(title), _read(language, (self.kind,))
        text = [stemmed_title] * weights.TITLE + [stemmed_brand] * weights.BRAND
        text += [stemmed_category] * weights.CATEGORY + [stemmed_values] * weights.VALUES
        text += [stems.of(prepared(one)) for one in self.descriptions] * weights.DESCRIPTION
        written = f"{title} {brand} {category} {values}"
        if not written.isascii():
            # Words of other scripts are read as stems.
            written = " ".join([surface(one) for one in (*self.titles, self.brand, self.category, *self.values)])
        named = f"{stemmed_title} {stemmed_kind}".rstrip()
        return {names.text: " ".join(text), names.title: named, names.surface: written}


@lru_cache(20_000)
def _read(language: str, texts: tuple[str, ...]) -> tuple[str, str]:
    """What many products have, prepared, and its stems."""
    text = " ".join(map(prepared, texts))
    return text, stems_in(language).of(text)


def titles_of(product: IndexedProduct, languages: Languages) -> dict[str, str]:
    """The product's title by language, its own first; none for one that is in the shop's language alone."""
    spoken = product.language or languages.own
    if not product.translations and spoken == languages.own:
        return {}
    translated = {name: said["title"] for name, said in (product.translations or {}).items() if "title" in said}
    return {spoken: product.title, **translated} if translated or spoken != languages.own else {}


@lru_cache(10_000)
def paths_of(path: str) -> tuple[str, ...]:
    """The paths of a category and of those above it, the highest first."""
    parts = path.split("/")
    return tuple("/".join(parts[:length]) for length in range(2, len(parts) + 1))


class Tongue:
    """Where the words of a reader are looked for, and how they are read: in the shop's own fields, and in those of the
    reader's language, the last."""

    def __init__(self, languages: Languages, language: str, schema: tantivy.Schema) -> None:
        self.schema = schema
        self.language, self.own = language, languages.own
        self._analysers = [analyser(languages.own)]
        self.fields = [fields_in(None)]
        if language != languages.own:
            self._analysers.append(analyser(language))
            self.fields.append(fields_in(language))
        self.stems = lru_cache(KEPT_STEMS)(self._stems)

    def _stems(self, form: str) -> list[str | None]:
        """A form of a word as each of `fields` has it; None where it is none."""
        read = stemmed(form)
        return [next(iter(one.analyze(read)), None) for one in self._analysers]
