"""Reads the suggestions index, from files that are mapped into memory: nothing is built here."""

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import tantivy
from tantivy import Occur, Query

from api.search.engine.vocabulary import Near
from api.search.suggestions import edits
from api.search.suggestions.entries import is_word
from api.search.suggestions.schema import FOLDER, schema, start, words_of

MAX_TEXT = 100
# With fewer letters one typing error matches too many phrases.
MIN_FORGIVEN = 4
# A word with fewer letters is not corrected, and with fewer than the second only by one edit.
MIN_CORRECTED = 3
MIN_TWICE = 4
# Of so many candidates the best are chosen.
MAX_NEAR = 200
MAX_COMPOUNDS = 200
MAX_KEPT = 5_000
# Of a beginning of a word that no more phrases have, those are kept; so many of all beginnings together.
MAX_BEGUN = 1_000
MAX_KEPT_PHRASES = 200_000
# A phrase that begins with what was typed is worth twice as many products.
BEGINS = 4
# What stands between the parts of a compound.
_LINKS = ("", "s", "n", "en", "er", "es", "e")
MIN_PART = 3
# A part of a compound of which the rest is no word of the catalog.
MIN_ALONE = 4
Frequency = Callable[[str], int]
# A typed beginning of a word, and how many typing errors it may have.
_Begun = tuple[str, int]
# Where a phrase is in the index, and its weight.
_Place = tuple[int, int]
_Kept = dict[_Place, tuple[int, tantivy.DocAddress]]


class Suggestions:
    """The suggestions of one generation as of one commit; `newest` has those of a later one."""

    def __init__(self, generation: Path, languages: Sequence[str]) -> None:
        """Raises: OSError, ValueError when the generation has none."""
        self._generation, self._languages = generation, languages
        self._meta = str(generation / FOLDER / "meta.json")
        self._committed = self._commit()
        self._searcher = tantivy.Index.open(str(generation / FOLDER)).searcher()
        self._kept: dict[tuple[str, int, str | None, bool, bool], list[str]] = {}
        # By a beginning of a word and the reader's language: the best first.
        self._begun: dict[tuple[str, str], _Kept] = {}
        self._begun_phrases = 0

    def newest(self) -> "Suggestions":
        """Of the last commit; the same while there is no later one. Raises: OSError when the generation is gone."""
        return self if self._commit() == self._committed else Suggestions(self._generation, self._languages)

    def complete(
        self, text: str, limit: int, language: str | None = None, *, forgive: bool = True, titles: bool = True
    ) -> list[str]:
        """At most `limit` texts with a word that begins with each word of `text`, in any order: frequent queries, then
        phrases, then `titles`. With `forgive`, those after a typing error in each word that begins none, when there are
        none."""
        asked = (text[:MAX_TEXT], limit, language, forgive, titles)
        found = self._kept.get(asked)
        if found is None:
            found = self._complete(*asked)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[asked] = found
        return list(found)

    def near(self, word: str, limit: int, frequency: Frequency) -> list[Near]:
        """At most `limit` words of the catalog that `word` may have been written for, the most likely first: those one
        edit away, then those two away; none for a word that people use. `frequency`: how many products have a word now.
        """
        if not is_word(word) or len(word) < MIN_CORRECTED or self._searcher.doc_freq("real", word):
            return []
        found: list[Near] = []
        for distance in (1, 2) if len(word) >= MIN_TWICE else (1,):
            if len(found) < limit:
                found += self._at(distance, word, frequency)
        return found[:limit]

    def _at(self, distance: int, word: str, frequency: Frequency) -> list[Near]:
        """The words so many edits away, the most likely first."""
        query = Query.fuzzy_term_query(schema(), "word", word, distance=distance)
        near = sorted(
            (edits.unlikely(word, other) - 2 * math.log(1 + count), other)
            for other in self._words(query, MAX_NEAR)
            if (count := frequency(other)) and edits.edits(word, other, distance) == distance
        )
        return [Near(other, distance) for _, other in near]

    def containing(self, part: str, limit: int, frequency: Frequency) -> list[str]:
        """At most `limit` words of the catalog that are made of `part` and another word, the most frequent first; those
        of which the other is a word of the catalog go before."""
        if not is_word(part) or len(part) < MIN_PART:
            return []
        found = []
        for word in {*self._beginning(part), *self._ending(part)}:
            if count := frequency(word):
                known = _rest_is_known(word, part, frequency)
                if known or (len(part) >= MIN_ALONE and len(word) - len(part) >= MIN_PART):
                    found.append((not known, -count, word))
        return [word for _, _, word in sorted(found)[:limit]]

    def _commit(self) -> int:
        return os.stat(self._meta).st_mtime_ns  # noqa: PTH116 - several times for each list; a Path takes twice as long

    def _complete(self, text: str, limit: int, language: str | None, forgive: bool, titles: bool) -> list[str]:
        words = words_of(text)
        if not words:
            return []
        reader = language or self._languages[0]
        found = self._matching([(word, 0) for word in words], reader, limit, titles)
        if not found and forgive and sum(map(len, words)) >= MIN_FORGIVEN:
            found = self._matching([self._forgiven(word) for word in words], reader, limit, titles)
        return found

    def _matching(self, asked: Sequence[_Begun], reader: str, limit: int, titles: bool) -> list[str]:
        phrases = self._first_kept(asked, reader, 3 * limit)
        if phrases is None:
            phrases = self._first(map(_phrases, asked), reader, 3 * limit)
        found = _arranged(" ".join(word for word, _ in asked), phrases) if phrases else []
        best: dict[str, str] = {}
        for phrase in found:
            best.setdefault(phrase.folded.removesuffix("s"), phrase.text)
        if titles and len(best) < limit:
            for title in self._first(map(_titles, asked), reader, 3 * limit):
                best.setdefault(title.folded.removesuffix("s"), title.text)
        return list(best.values())[:limit]

    def _first_kept(self, asked: Sequence[_Begun], reader: str, most: int) -> "list[_Found] | None":
        """The best phrases without an error, from what is kept of each word: queries have other words together, but
        few words. None where one of the words begins too many."""
        kept: list[_Kept] = []
        for word, errors in asked:
            phrases = None if errors else self._beginning_so(word, reader)
            if phrases is None:
                return None
            kept.append(phrases)
        fewest, *others = sorted(kept, key=len)
        places = [place for place in fewest if all(place in other for other in others)][:most]
        return [_Found.of(weight, self._text(address)) for weight, address in map(fewest.__getitem__, places)]

    def _beginning_so(self, word: str, reader: str) -> _Kept | None:
        found = self._begun.get((word, reader))
        if found is None:
            count = self._searcher.doc_freq("starts", start(word))
            if count > MAX_BEGUN:
                return None
            query = Query.boolean_query([(Occur.Must, part) for part in (_phrases((word, 0)), *self._readable(reader))])
            hits = self._searcher.search(query, count, count=False, order_by_field="weight").hits if count else []
            found = {(address.segment_ord, address.doc): (int(weight), address) for weight, address in hits}
            if len(self._begun) >= MAX_KEPT or self._begun_phrases >= MAX_KEPT_PHRASES:
                self._begun.clear()
                self._begun_phrases = 0
            self._begun[word, reader] = found
            self._begun_phrases += len(found)
        return found

    def _readable(self, reader: str) -> list[Query]:
        """What is shown to a reader of the language."""
        return [_term("readers", reader)] if len(self._languages) > 1 else []

    def _first(self, begun: Iterable[Query], reader: str, most: int) -> list["_Found"]:
        query = Query.boolean_query([(Occur.Must, part) for part in (*begun, *self._readable(reader))])
        hits = self._searcher.search(query, most, count=False, order_by_field="weight").hits
        return [_Found.of(int(weight), self._text(address)) for weight, address in hits]

    def _text(self, address: tantivy.DocAddress) -> str:
        return str(self._searcher.doc(address).get_first("text"))

    def _forgiven(self, word: str) -> _Begun:
        """The word as it was typed when any begins so, or else after one typing error."""
        if len(word) < MIN_CORRECTED or not is_word(word) or self._begins_any(word):
            return word, 0
        return word, 1

    def _begins_any(self, word: str) -> bool:
        return bool(
            self._searcher.doc_freq("starts", start(word)) or self._searcher.terms_with_prefix("words", word, limit=1)
        )

    def _words(self, query: Query, most: int) -> Iterator[str]:
        for _, address in self._searcher.search(query, most, count=False).hits:
            yield str(self._searcher.doc(address).get_first("word"))

    def _beginning(self, part: str) -> Iterator[str]:
        return self._words(Query.regex_query(schema(), "word", f"{re.escape(part)}.+"), MAX_COMPOUNDS)

    def _ending(self, part: str) -> Iterator[str]:
        return self._words(Query.regex_query(schema(), "drow", f"{re.escape(part[::-1])}.+"), MAX_COMPOUNDS)


def _phrases(begun: _Begun) -> Query:
    """Phrases with a word that begins so."""
    word, errors = begun
    term = start(word)
    return Query.fuzzy_term_query(schema(), "starts", term, distance=errors) if errors else _term("starts", term)


def _titles(begun: _Begun) -> Query:
    """Titles with a word that begins so."""
    word, errors = begun
    return Query.fuzzy_term_query(schema(), "words", word, distance=errors, prefix=True)


def _term(name: str, value: str) -> Query:
    return Query.term_query(schema(), name, value)


@dataclass(frozen=True, slots=True)
class _Found:
    weight: int
    text: str
    folded: str

    @classmethod
    def of(cls, weight: int, text: str) -> "_Found":
        return cls(weight, text, " ".join(words_of(text)))


def _arranged(typed: str, phrases: Iterable[_Found]) -> list[_Found]:
    """The best first; without those that are only a part of another that as many products have."""
    whole: list[_Found] = []
    for _, same in groupby(phrases, key=attrgetter("weight")):
        alike = list(same)
        padded = [f" {found.folded} " for found in alike]
        whole += (found for found, own in zip(alike, padded, strict=True) if sum(own in other for other in padded) == 1)
    return sorted(whole, key=lambda found: (-found.weight - BEGINS * found.folded.startswith(typed), found.text))


def _rest_is_known(word: str, part: str, frequency: Frequency) -> bool:
    rests = [word[: -len(part)]] if word.endswith(part) else []
    rests += [word[len(part) :]] if word.startswith(part) else []
    return any(_is_made_of(rest, frequency) for rest in rests)


def _is_made_of(rest: str, frequency: Frequency) -> bool:
    """Whether it is a word with what links it: `s` in `geburtstagskarte`."""
    bare = {rest.removesuffix(link) for link in _LINKS} | {rest.removeprefix(link) for link in _LINKS}
    return any(len(one) >= MIN_PART and frequency(one) for one in bare)
