"""Writes the suggestions index; in the process that writes the search index, with each of its commits."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import tantivy
from tantivy import Query

from api.search.engine.writers import open_writer
from api.search.suggestions.entries import Said, Title, keyed, unkeyed
from api.search.suggestions.queries import FrequentQuery
from api.search.suggestions.real_words import real_words
from api.search.suggestions.schema import FOLDER, open_index, schema, starts_of

# At most so many phrases are made of a catalog: the most frequent ones.
MAX_PHRASES = 200_000
# The least that the engine takes.
HEAP_BYTES = 15_000_000
BUILD_HEAP_BYTES = 64_000_000
# A frequent query is above every phrase of the catalog.
QUERY_WEIGHT = 1_000
_QUERY = "?"
# Titles of a product; more than there are languages.
_MOST_TITLES = 100
ALL = 1_000_000


class Builder:
    """A suggestions index of a whole catalog: `add` each product, then `finish`."""

    def __init__(self, generation: Path) -> None:
        folder = generation / FOLDER
        folder.mkdir()
        self._index = open_index(folder, new=True)
        self._writer = self._index.writer(BUILD_HEAP_BYTES, 1)
        self._words: set[str] = set()

    def add(self, *said: Said) -> None:
        documents: list[str] = []
        for one in said:
            documents += [title.document() for title in one.titles]
            self._words.update(one.words)
        for document in documents:
            self._writer.add_json(document)

    def finish(self, queries: Sequence[FrequentQuery], languages: Sequence[str]) -> None:
        """Write what the titles have in common."""
        self._writer.commit()
        self._index.reload()
        searcher = self._index.searcher()
        heads = dict(searcher.terms_with_prefix("heads", "", limit=MAX_PHRASES))
        # A title has a phrase in one of the two.
        counts = heads.copy()
        for key, n in searcher.terms_with_prefix("parts", "", limit=ALL):
            if n > 1 or key in heads:
                counts[key] = heads.get(key, 0) + n
        weights = {key: phrase_weight(n) for key, n in counts.items()} | _weights(queries, languages)
        # The engine reads and keeps documents in blocks, so those that are shown most often stand together.
        for key, weight in sorted(weights.items(), key=lambda found: (-found[1], found[0])):
            self._writer.add_json(_phrase(key, weight))
        for word in sorted(self._words):
            self._writer.add_json(_word(word))
        for language in languages:
            self._writer.add_json(orjson.dumps({"real": " ".join(sorted(real_words(language)))}).decode())
        self._writer.commit()
        self._writer.wait_merging_threads()


@dataclass
class Updater:
    """Keeps the suggestions of a generation up to date. What it remembers may be lost at any time."""

    languages: Sequence[str]
    queries: Sequence[FrequentQuery] = ()
    _committed: tuple[Path, int] | None = None
    _searcher: tantivy.Searcher | None = None
    _known: set[str] = field(default_factory=set)
    _written: dict[str, int] = field(default_factory=dict)

    def update(self, generation: Path, changed: Iterable[Said]) -> int:
        """Write what differs, in one commit; returns how many documents were written or removed: 0 for a product of
        which only the price or the stock has changed."""
        folder = generation / FOLDER
        batch = _Batch(self._current(folder))
        new_words: set[str] = set()
        for said in changed:
            batch.replace(said)
            new_words |= said.words - self._known
        batch.add.extend(_word(word) for word in sorted(new_words))
        batch.rephrase()
        wanted = _weights(self.queries, self.languages)
        for key in wanted.keys() | self._written.keys():
            if wanted.get(key) != self._written.get(key):
                batch.put_phrase(key, wanted.get(key))
        if not batch:
            return 0
        writer = open_writer(folder, open_index(folder), HEAP_BYTES)
        for name, value in batch.remove:
            writer.delete_documents_by_term(name, value)
        for document in batch.add:
            writer.add_json(document)
        writer.commit()
        writer.wait_merging_threads()
        self._searcher = self._open(folder)
        self._known |= new_words
        self._written = wanted
        return len(batch)

    def _current(self, folder: Path) -> tantivy.Searcher:
        """The last commit. What is remembered of one that another process made is read anew."""
        if self._searcher is None or self._committed != _commit(folder):
            self._searcher = self._open(folder)
            self._known = {word for word, _ in self._searcher.terms_with_prefix("word", "", limit=ALL)}
            self._written = _weights_in(self._searcher)
        return self._searcher

    def _open(self, folder: Path) -> tantivy.Searcher:
        self._committed = _commit(folder)
        return tantivy.Index.open(str(folder)).searcher()


class _Batch:
    """The terms of which documents are removed, and then the documents that are added."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher
        self.remove: list[tuple[str, str]] = []
        self.add: list[str] = []
        self._parts: Counter[str] = Counter()
        self._heads: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.remove) + len(self.add)

    def replace(self, said: Said) -> None:
        """The titles of a product by those that it has now."""
        found = self._searcher.search(_term("product", said.product), _MOST_TITLES, count=False)
        before = {Title.read(said.product, self._searcher.doc(address)) for _, address in found.hits}
        if before == said.titles:
            return
        if before:
            self.remove.append(("product", said.product))
        self.add.extend(title.document() for title in said.titles)
        for title in said.titles:
            self._parts.update(title.parts)
            self._heads.update(title.heads)
        for title in before:
            self._parts.subtract(title.parts)
            self._heads.subtract(title.heads)

    def rephrase(self) -> None:
        """Phrases of which the number of titles has changed are kept, made or removed."""
        for key in {key for counter in (self._parts, self._heads) for key, n in counter.items() if n}:
            heads = self._number("heads", key)
            count = heads + self._number("parts", key) + self._parts[key]
            is_phrase = count > 1 or heads + self._heads[key] > 0
            self.put_phrase(key, phrase_weight(count) if is_phrase else None)

    def put_phrase(self, key: str, weight: int | None) -> None:
        """The phrase has this weight; None: it is none."""
        found = self._searcher.search(_term("key", key), 1, count=False).hits
        before = _weight(self._searcher.doc(found[0][1])) if found else None
        if before == weight:
            return
        if before is not None:
            self.remove.append(("key", key))
        if weight is not None:
            self.add.append(_phrase(key, weight))

    def _number(self, name: str, key: str) -> int:
        """How many titles have it: `doc_freq` counts removed ones too."""
        return int(self._searcher.search(_term(name, key), 1).count)  # type: ignore[attr-defined]  # missing in the wheel's stub


def _commit(folder: Path) -> tuple[Path, int]:
    return folder, (folder / "meta.json").stat().st_mtime_ns


def phrase_weight(count: int) -> int:
    """In steps, so that one of many products is no new phrase."""
    return 1 + round(4 * math.log2(max(1, count)))


def _weights(queries: Sequence[FrequentQuery], languages: Sequence[str]) -> dict[str, int]:
    """By key."""
    weights: dict[str, int] = {}
    for query in queries:
        text = " ".join(query.text.lower().split())
        key = _QUERY + keyed(languages if query.language is None else [query.language], text)
        weights[key] = max(weights.get(key, 0), QUERY_WEIGHT + phrase_weight(query.count))
    return weights


def _weights_in(searcher: tantivy.Searcher) -> dict[str, int]:
    """Of the queries that are in the index."""
    weights = {}
    for key, _ in searcher.terms_with_prefix("key", _QUERY, limit=ALL):
        for _, address in searcher.search(_term("key", key), 1, count=False).hits:
            weights[key] = _weight(searcher.doc(address))
    return weights


def _weight(phrase: tantivy.Document) -> int:
    return int(str(phrase.get_first("weight")))


def _term(name: str, value: str) -> Query:
    return Query.term_query(schema(), name, value)


def _phrase(key: str, weight: int) -> str:
    readers, text = unkeyed(key.removeprefix(_QUERY))
    fields = {"key": key, "text": text, "starts": starts_of(text), "readers": readers, "weight": weight}
    return orjson.dumps(fields).decode()


def _word(word: str) -> str:
    return orjson.dumps({"word": word, "drow": word[::-1]}).decode()
