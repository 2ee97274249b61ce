"""The shape of the suggestions index, an engine's index of its own in each generation of the search index.

Four kinds of documents, told by the fields that they have:

title    one for each title of a product: `words`, `text`, `heads` (phrases of one product alone) and `parts` (the
         others that the title has)
phrase   what several titles share, the name of a brand or category, or a frequent query: `key`, `starts`, `text`
word     a word of the catalog as it is written: `word`, and `drow`, the same from its end
real     one for each language of the catalog: `real`, the words that people use (`real_words`)

Changing it needs a new SCHEMA_VERSION.
"""

from functools import cache, lru_cache
from pathlib import Path

import tantivy

from api.search.text import surface_words
from api.search.texts import NOT_SEARCHED, no_words

SCHEMA_VERSION = "4"
FOLDER = "suggestions"
# A word is found by its beginnings up to this length, and with more letters by that beginning.
MAX_START = 20
# Of a text so many words count.
MAX_WORDS = 16


def open_index(folder: Path, *, new: bool = False) -> tantivy.Index:
    """The index in a folder, with the analyser of `text`. Raises: OSError, ValueError when there is none."""
    index = tantivy.Index(schema(), str(folder)) if new else tantivy.Index.open(str(folder))
    index.register_tokenizer(NOT_SEARCHED, no_words())
    return index


@cache
def schema() -> tantivy.Schema:
    """`readers`: the languages of those who are shown the document. `weight`: whole, greater is shown earlier."""
    builder = tantivy.SchemaBuilder()
    # One text of many words is read in less time than many texts.
    for name in ("words", "starts", "real"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    for name in ("product", "readers", "drow"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", stored=name == "readers")
    for name in ("parts", "heads", "key", "word"):
        builder.add_text_field(name, stored=name != "key", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", stored=True, tokenizer_name=NOT_SEARCHED, index_option="basic")
    builder.add_unsigned_field("weight", stored=True, fast=True)
    return builder.build()


def words_of(text: str) -> list[str]:
    """The first words of a text, each in all its forms, as the index has them but unstemmed."""
    return surface_words(text)[:MAX_WORDS]


def starts_of(text: str) -> str:
    """What may be typed of each word: its beginnings, separated by blanks."""
    return " ".join(map(_starts, words_of(text)))


def start(word: str) -> str:
    """The term by which a typed beginning of a word is looked for."""
    return word[:MAX_START]


@lru_cache(20_000)
def _starts(word: str) -> str:
    return " ".join([word[:length] for length in range(1, min(len(word), MAX_START) + 1)])
