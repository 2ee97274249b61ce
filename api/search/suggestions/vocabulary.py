"""The Vocabulary of a query: which words there are says the search index, which are near the suggestions index."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.search.engine.vocabulary import Near, SurfaceVocabulary
from api.search.suggestions.reader import Suggestions


@dataclass(frozen=True, slots=True)
class CatalogVocabulary:
    """See `Vocabulary`. A word that no product has any more is near none, whatever the suggestions still have."""

    surface: SurfaceVocabulary
    suggestions: Suggestions

    def knows(self, word: str) -> bool:
        return self.surface.knows(word)

    def near(self, word: str, limit: int) -> Sequence[Near]:
        return self.suggestions.near(word, limit, self.surface.frequency)

    def containing(self, part: str, limit: int) -> Sequence[str]:
        return self.suggestions.containing(part, limit, self.surface.frequency)
