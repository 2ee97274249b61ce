"""The words of the catalog, for queries that have others: known ones, those spelled alike, those that hold one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import tantivy


@dataclass(frozen=True, slots=True)
class Near:
    """A word of the catalog, `edits` (1 or 2) from the one that was asked about: letters inserted, left out, replaced,
    or swapped with their neighbour."""

    word: str
    edits: int


class Vocabulary(Protocol):
    """Words are surface forms: as `api.search.text.read` gives them, never stems."""

    def knows(self, word: str) -> bool:
        """Whether a product has the word in its title, brand, category or the values of its attributes."""

    def near(self, word: str, limit: int) -> Sequence[Near]:
        """At most `limit` words of the catalog that `word` may have been meant for, the best first; none for a word
        with a digit."""

    def containing(self, part: str, limit: int) -> Sequence[str]:
        """At most `limit` compounds of the catalog that `part` is a word of, the most frequent first."""


class Synonyms(Protocol):
    """Words that people have accepted as meaning the same."""

    def of(self, word: str) -> Sequence[str]:
        """Other words for a surface form; none where nobody has accepted any. Never blocks."""


class NoSynonyms:
    """Nobody has accepted any."""

    def of(self, _word: str) -> Sequence[str]:
        return ()


@dataclass(frozen=True, slots=True)
class SurfaceVocabulary:
    """What the index itself knows: the words of its field of surface forms, as of one commit."""

    searcher: tantivy.Searcher
    field: str

    def knows(self, word: str) -> bool:
        return self.frequency(word) > 0

    def frequency(self, word: str) -> int:
        """How many documents have the word."""
        return self.searcher.doc_freq(self.field, word)

    def near(self, _word: str, _limit: int) -> Sequence[Near]:
        return ()

    def containing(self, _part: str, _limit: int) -> Sequence[str]:
        return ()
