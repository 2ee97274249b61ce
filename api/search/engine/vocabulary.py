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


@dataclass(frozen=True, slots=True)
class SurfaceVocabulary:
    """What the index itself knows: the words of its fields of surface forms, as of one commit."""

    searcher: tantivy.Searcher
    fields: Sequence[str]

    def knows(self, word: str) -> bool:
        return self.frequency(word) > 0

    def frequency(self, word: str) -> int:
        """How many documents have the word, about: some in two languages."""
        return sum(self.searcher.doc_freq(field, word) for field in self.fields)
