"""Synonyms of words, for who builds the engine's queries: kept in memory, never asked of the database."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pair:
    """Two expressions that stand for each other, each a word or a few, in one language; in every one without it."""

    word: str
    synonym: str
    language: str | None = None


class Synonyms(Protocol):
    """What an index asks while it reads a query. Answers at once."""

    def __len__(self) -> int:
        """0 where no expression has a synonym."""
        ...

    def of(self, word: str, language: str | None = None) -> list[str]:
        """What may stand for `word`, folded and in a fixed order: words, and expressions of several with a space
        between; none for most words. `word` may be an expression too. `language` is the reader's, None the shop's
        own."""
        ...


class SynonymTable:
    """Synonyms by folded expression. Both directions of each pair; not those of synonyms."""

    def __init__(self, pairs: Iterable[Pair] = (), own: str | None = None) -> None:
        """`own`: the shop's own language, that of readers without one."""
        self._own = own
        found: dict[tuple[str, str | None], set[str]] = {}
        for pair in pairs:
            one, other = folded(pair.word), folded(pair.synonym)
            if one and other and one != other:
                found.setdefault((one, pair.language), set()).add(other)
                found.setdefault((other, pair.language), set()).add(one)
        self._of = {key: sorted(expressions) for key, expressions in found.items()}

    def __len__(self) -> int:
        return len(self._of)

    def of(self, word: str, language: str | None = None) -> list[str]:
        if not self._of:
            return []
        key = folded(word)
        everywhere = self._of.get((key, None), [])
        spoken = language or self._own
        return everywhere if spoken is None else sorted({*everywhere, *self._of.get((key, spoken), [])})


@dataclass(slots=True)
class Current:
    """The synonyms of now: whoever keeps them exchanges `table`, whoever asks sees the newest."""

    table: Synonyms = field(default_factory=SynonymTable)

    def __len__(self) -> int:
        return len(self.table)

    def of(self, word: str, language: str | None = None) -> list[str]:
        return self.table.of(word, language)


def folded(text: str) -> str:
    """The form in which expressions are compared: one case, no accents, single spaces."""
    if text.isascii():
        return " ".join(text.casefold().split())
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(unicodedata.normalize("NFKC", "".join(c for c in plain if not unicodedata.combining(c))).split())
