"""Completions from memory: phrases of the catalog in a sorted list, popular
ones first, with one typing error tolerated."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_PHRASES = 200_000
MAX_TEXT = 60
# A phrase is also found from its second, third and fourth word on.
MAX_STARTS = 4
# With fewer letters one typing error matches too many phrases.
MIN_CORRECTED = 4
_END = "\U0010ffff"
# A phrase that begins with other letters than every key is not searched for.
_BEGINNING = 8
_MAX_NEXT = 50_000


@dataclass(frozen=True, slots=True)
class Phrase:
    text: str
    weight: float


class Completions:
    """Immutable; a change of the catalog builds a new one. About 120 bytes per phrase and start."""

    def __init__(self, phrases: Iterable[tuple[str, float]]) -> None:
        best: dict[str, float] = {}
        for text, weight in phrases:
            folded = normalise(text)
            if folded:
                best[folded] = max(weight, best.get(folded, 0.0))
        kept = heapq.nlargest(MAX_PHRASES, best.items(), key=lambda item: (item[1], item[0]))
        self._phrases = [Phrase(text, weight) for text, weight in kept]
        starts = sorted((start, i) for i, phrase in enumerate(self._phrases) for start in _starts(phrase.text))
        self._keys = [key for key, _ in starts]
        self._owners = [owner for _, owner in starts]
        self._beginnings = {key[:_BEGINNING] for key in self._keys}
        self._next: dict[str, str] = {}
        self._short = self._most_popular_by_short_prefix()

    def complete(self, text: str, limit: int, *, forgive: bool = True) -> list[str]:
        """At most `limit` phrases that start with `text`, the most popular first; none for blank text. With `forgive`,
        those after one typing error when there are none."""
        folded = normalise(text)[:MAX_TEXT]
        if not folded:
            return []
        found = self._short.get(folded) or self._best(folded, limit)
        if not found and forgive and len(folded) >= MIN_CORRECTED:
            found = self._corrected(folded, limit)
        return [self._phrases[owner].text for owner in found[:limit]]

    def _best(self, prefix: str, limit: int) -> list[int]:
        low = bisect_left(self._keys, prefix)
        if low == len(self._keys) or not self._keys[low].startswith(prefix):
            return []
        high = bisect_left(self._keys, prefix + _END, low)
        # Owners are numbered by popularity, so the smallest numbers are the best; a phrase may own several starts in
        # the range.
        return heapq.nsmallest(limit, set(self._owners[low:high]))

    def _corrected(self, text: str, limit: int) -> list[int]:
        """The phrases that `text` begins after one edit."""
        owners: set[int] = set()
        for candidate in self._one_edit_away(text):
            if len(candidate) < _BEGINNING or candidate[:_BEGINNING] in self._beginnings:
                owners.update(self._best(candidate, limit))
        return heapq.nsmallest(limit, owners)

    def _one_edit_away(self, text: str) -> Iterator[str]:
        """Strings one deletion, swap, replacement or insertion from `text`; the first letter is never changed.

        Only with letters that some key has in that place, and only as far as some key begins like `text`.
        """
        for i in range(1, len(text)):
            head, tail = text[:i], text[i:]
            yield head + tail[1:]
            if len(tail) > 1:
                yield head + tail[1] + tail[0] + tail[2:]
            letters = self._letters(head)
            for letter in letters:
                yield head + letter + tail[1:]
                yield head + letter + tail
            if tail[0] not in letters:
                return

    def _letters(self, head: str) -> str:
        """The letters that follow `head` in the keys."""
        letters = self._next.get(head)
        if letters is None:
            if len(self._next) >= _MAX_NEXT:
                self._next.clear()
            letters = self._next[head] = "".join(self._following(head))
        return letters

    def _following(self, head: str) -> Iterator[str]:
        low, high = bisect_right(self._keys, head), bisect_left(self._keys, head + _END)
        while low < high:
            letter = self._keys[low][len(head)]
            yield letter
            low = bisect_left(self._keys, head + letter + _END, low + 1, high)

    def _most_popular_by_short_prefix(self, limit: int = 20) -> dict[str, list[int]]:
        """Prefixes of one and two letters match a large part of the catalog, so their answers are precomputed."""
        short: dict[str, list[int]] = {}
        for owner, phrase in enumerate(self._phrases):
            for prefix in {start[:n] for start in _starts(phrase.text) for n in (1, 2)}:
                owners = short.setdefault(prefix, [])
                if len(owners) < limit:
                    owners.append(owner)
        return short


def normalise(text: str) -> str:
    """Lower case, single blanks, at most MAX_TEXT characters of the phrase."""
    return " ".join(text.casefold().split())[:MAX_TEXT].strip()


def _starts(text: str) -> Iterator[str]:
    words = text.split(" ")
    for i in range(min(len(words), MAX_STARTS)):
        yield " ".join(words[i:])
