"""What a text asks for: the words that a product must have, each with the other ways to write and to mean it.

One question is asked of the engine: all words; and, where few products have them all, some of the words, with a bonus
for all of them (`Asked.every`, `Asked.some`).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import TypeVar

import tantivy
from tantivy import Occur, Query

from api.search import weights
from api.search.engine import matching
from api.search.engine.reader import Reader
from api.search.engine.synonyms import Synonyms
from api.search.engine.vocabulary import SurfaceVocabulary, Vocabulary
from api.search.suggestions.vocabulary import CatalogVocabulary
from api.search.text import LONGEST, Word, folded_code, read, wording
from api.search.text.wording import MAX_WORDS, MIN_CODE
from api.search.texts import Tongue

K = TypeVar("K")
V = TypeVar("V")

# An unknown word is at most so many known ones, of at least so many letters each.
MOST_PARTS = 4
MIN_PART = 3
# So many of the rarest words say which product has the most of them: each is looked for in all that has any.
MOST_RELAXED = 8
# Of words and their writings.
MOST_KEPT = 20_000
# Documents that have any of the words, added up: up to so many are looked through in about a millisecond.
NARROW = 20_000
# What may have been meant by an unknown word.
MOST_MEANT = 8
MOST_COMPOUNDS = 5
# Languages that write a thing and its kind as one word, the kind last.
COMPOUNDING = frozenset({"da", "de", "fi", "hu", "nb", "nl", "nn", "no", "sv"})


@dataclass(frozen=True, slots=True)
class Slot:
    """A word that is asked for. `searched`: it, or what is searched for it, in surface forms; `frequency`: how many
    documents have it, about; `others`: what else an unknown word was taken for."""

    typed: str
    searched: str
    query: Query
    frequency: int
    in_title: Query
    others: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """`slots` are required where every word is. `also`: words that no product has together with those: they find, and
    are not required. `bonus` orders what is found and finds nothing. `code`: the products that the text is a code of.
    `dropped`: words that were typed and are not required, in order."""

    slots: Sequence[Slot]
    bonus: Sequence[Query] = ()
    code: Query | None = None
    dropped: Sequence[str] = ()
    also: Sequence[Slot] = ()

    @property
    def corrected(self) -> str | None:
        """What is searched, if that is not what was typed."""
        return wording.corrected(self.slots)

    @property
    def also_searched(self) -> list[str]:
        """What else finds."""
        return wording.also_searched(self.slots, self.also)

    @property
    def as_typed(self) -> bool:
        """Whether every word is asked for as it was typed."""
        return not self.dropped and self.corrected is None

    @property
    def enough(self) -> int:
        """Where fewer products have all words that are required, those with some of the words are found too."""
        return wording.enough(self.slots, self.also)

    def expected(self, documents: int) -> float:
        """How many documents have all words, were a word as likely with the others as without them."""
        return documents * math.prod(min(slot.frequency / documents, 1.0) for slot in self.slots)

    def every(self, *, ordered: bool = True) -> Query:
        """The products with all words; not `ordered`: to count them."""
        if not self.slots:
            return self.code or Query.empty_query()
        with_all = _all([slot.query for slot in self.slots])
        if ordered:
            with_all = self._ordered(with_all, self.slots)
        return with_all if self.code is None else Query.boolean_query([(Occur.Should, with_all), self._first()])

    def some(self, documents: int) -> Query:
        """The products with some of the words; those with all that are required have a part of their score again."""
        every = [*self.slots, *self.also]
        places, together = wording.filling([slot.frequency for slot in every], documents)
        filling = [every[place] for place in places]
        found = Query.boolean_query([(Occur.Must if together else Occur.Should, slot.query) for slot in filling])
        others = [slot.query for slot in every if slot not in filling]
        bonus = Query.boost_query(_all([slot.query for slot in self.slots]), weights.ALL_WORDS)
        with_some = self._ordered(found, every, [*others, bonus])
        return with_some if self.code is None else Query.boolean_query([(Occur.Should, with_some), self._first()])

    def _ordered(self, found: Query, slots: Sequence[Slot], others: Sequence[Query] = ()) -> Query:
        """What is found, in the order of these words' scores. One within the other: next to each other the engine goes
        through all that any of them has, one at a time it looks for what is found."""
        for one in (*others, *(slot.in_title for slot in slots), *self.bonus):
            found = Query.boolean_query([(Occur.Must, found), (Occur.Should, one)])
        return found

    def _first(self) -> tuple[Occur, Query]:
        if self.code is None:
            raise AssertionError("the text is a code")
        return Occur.Should, Query.const_score_query(self.code, weights.CODE)


@dataclass(frozen=True, slots=True)
class _Meant:
    """A way to understand a word. `in_title` is the word in titles, None where that counts no more."""

    query: Query
    frequency: int
    searched: str
    in_title: Query | None = None

    def less(self, weight: float) -> "_Meant":
        """The same at a part of its weight."""
        in_title = None if self.in_title is None else Query.boost_query(self.in_title, weight)
        return replace(self, query=Query.boost_query(self.query, weight), in_title=in_title)


@dataclass(slots=True)
class Asking:
    """Understands the texts of readers of one language, by the index as of one commit. What it has looked up it keeps:
    words of queries are few."""

    reader: Reader
    tongue: Tongue
    vocabulary: Vocabulary
    synonyms: Synonyms
    language: str | None = None
    _ones: dict[str, _Meant] = field(default_factory=dict)
    _writings: dict[Word, list[_Meant]] = field(default_factory=dict)
    _alone: dict[Word, Slot] = field(default_factory=dict)
    _compounded: dict[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, reader: Reader, language: str | None, synonyms: Synonyms) -> "Asking":
        """For a reader of a language; None: of the shop's own."""
        tongue = matching.tongue(reader.languages, language)
        surface = SurfaceVocabulary(reader.searcher, [names.surface for names in tongue.fields])
        return cls(reader, tongue, CatalogVocabulary(surface, reader.suggestions), synonyms, language)

    @property
    def searcher(self) -> tantivy.Searcher:
        return self.reader.searcher

    @property
    def _compounding(self) -> bool:
        return not COMPOUNDING.isdisjoint(tag.partition("-")[0] for tag in (self.tongue.language, self.tongue.own))

    def is_narrow(self, text: str) -> bool:
        """Whether every word was looked up before, and few documents have any of them."""
        slots = [self._alone.get(word) for word in read(text)]
        return None not in slots and sum([slot.frequency for slot in slots if slot]) <= NARROW

    def ask(self, text: str) -> Asked:
        """What a text asks for; it has at least one character that is no blank."""
        words = wording.different(read(text)[:MAX_WORDS])
        asked, filling = wording.divided(words, {self.tongue.language, self.tongue.own})
        dropped = {word.shown for word in filling}
        synonyms = self._synonyms(asked)
        slots: list[Slot | None] = [self._known(asked, place, synonyms) for place in range(len(asked))]
        found = [slot for slot in slots if slot is not None]
        for place, slot in enumerate(slots):
            if slot is None:
                meant = self._guessed(asked[place], found)
                slots[place] = meant
                found += [meant] if meant else []
        dropped |= {word.shown for word, slot in zip(asked, slots, strict=True) if slot is None}
        bonus = [
            *self._side_by_side([slot for slot in slots if slot is not None]),
            *(Query.boost_query(self._one(word.shown).query, weights.FILLER) for word in filling),
        ]
        named = [word.shown for word in words if word.shown in dropped]
        return Asked([slot for slot in slots if slot is not None], bonus, self._code(text), named)

    def without_what_is_nowhere(self, asked: Asked) -> Asked:
        """No product has all words: those of the best product of those with the most of them are required, and the
        others find too."""
        rarest = sorted(asked.slots, key=lambda slot: slot.frequency)[:MOST_RELAXED]
        most = min(len(rarest), len(asked.slots) - 1)
        best = next(filter(None, (self._best(rarest, least) for least in range(most, 0, -1))), None)
        if best is None:
            return asked
        kept = [slot for slot in asked.slots if _any(self.searcher, slot.query, best)]
        lost = [slot for slot in asked.slots if slot not in kept]
        return replace(asked, slots=kept, also=lost, dropped=[*asked.dropped, *(slot.typed for slot in lost)])

    def _best(self, slots: Sequence[Slot], least: int) -> Query | None:
        """The best product with at least so many of the words: with one of the choices of so many. The engine's own way
        to look for a least number goes through all that has any of them."""
        choices = [_all([slot.query for slot in chosen]) for chosen in combinations(slots, least)]
        some = Query.boolean_query([(Occur.Should, choice) for choice in choices])
        found = self.searcher.search(some, 1, count=False).hits
        if not found:
            return None
        product_id = self.reader.product(found[0][1]).product_id
        return Query.term_query(self.tongue.schema, "product_id", product_id)

    def _known(self, words: Sequence[Word], place: int, synonyms: Sequence[tuple[range, _Meant]]) -> Slot | None:
        """The word as the catalog has it, in one of its writings; None when it has none."""
        word = words[place]
        among = [*self._joined(words, place), *(synonym for places, synonym in synonyms if place in places)]
        if among or not (slot := self._alone.get(word)):
            slot = self._understood(word, among)
            if slot is not None and not among:
                _keep(self._alone, word, slot)
        return slot

    def _understood(self, word: Word, among: Sequence[_Meant]) -> Slot | None:
        """`among`: what its neighbours and synonyms make of it."""
        known = [one for one in (*self._written(word), *among) if one.frequency]
        if known and self._compounding:
            known += self._compounds(word, ending=True)
        return self._slot(word, known, word.shown) if known else None

    def _written(self, word: Word) -> list[_Meant]:
        """The word in each of its writings."""
        return _kept(self._writings, word, lambda: list(self._in_writings(word)))

    def _in_writings(self, word: Word) -> Iterator[_Meant]:
        for forms in wording.writings(word):
            yield self._together(forms)
        if word.joined is None and not word.shown.isalpha() and (code := self._code(word.shown)) is not None:
            yield _Meant(Query.const_score_query(code, weights.CODE_IN_TEXT), 1, word.shown)

    def _joined(self, words: Sequence[Word], place: int) -> Iterator[_Meant]:
        """The word and its neighbour as one: both are said by it."""
        for left, right in pairwise(words[max(place - 1, 0) : place + 2]):
            if len(left.shown) + len(right.shown) <= LONGEST:
                meant = self._one(left.shown + right.shown)
                if meant.frequency:
                    yield replace(meant.less(weights.JOINED), in_title=None)

    def _synonyms(self, words: Sequence[Word]) -> list[tuple[range, _Meant]]:
        """Of each word, and of each expression of several: all words at its places are said by its synonym."""
        if not self.synonyms:
            return []
        return [
            (places, self._together([form.shown for form in read(other)]).less(weights.SYNONYM / len(places)))
            for places, expression in wording.expressions(words)
            for other in self.synonyms.of(expression, self.language)
        ]

    def _guessed(self, word: Word, found: Sequence[Slot]) -> Slot | None:
        """What an unknown word may mean: several words, one that has it as a part, or one that is spelled like it."""
        several = self._several_words(word)
        if several is not None and self._in_one_title(several.searched.split(" ")):
            return self._slot(word, [several], several.searched)
        near = self._near(word, found)
        compounds = self._compounds(word)
        if compounds and (self._compounding or not near):
            return self._slot(word, compounds, word.shown)
        if near:
            meant = [*near, *compounds]
            return replace(self._slot(word, meant, near[0].searched), others=[one.searched for one in meant[1:]])
        return None if several is None else self._slot(word, [several], several.searched)

    def _near(self, word: Word, found: Sequence[Slot]) -> list[_Meant]:
        """What an unknown word is spelled like, the likeliest first; of that, what some product has with the other
        words, if there is any."""
        likely = [one for one in self.vocabulary.near(word.shown, MOST_MEANT) if self._one(one.word).frequency]
        # Of the forms of one word the likeliest, which finds what the others find.
        forms = {tuple(self.tongue.stems(one.word)): one for one in reversed(likely) if one.edits == likely[0].edits}
        near = [self._one(one.word) for one in reversed(forms.values())]
        if found and len(near) > 1:
            others = Query.boolean_query([(Occur.Must, slot.query) for slot in found])
            near = [one for one in near if _any(self.searcher, others, one.query)] or near
        return [one.less(weight) for one, weight in zip(near, weights.MEANT, strict=False)]

    def _compounds(self, word: Word, *, ending: bool = False) -> list[_Meant]:
        """Words that have the word as a part; `ending`: as what they end in, which says what the thing is."""
        known = _kept(self._compounded, word.shown, lambda: self.vocabulary.containing(word.shown, MOST_COMPOUNDS))
        chosen = [one for one in known if not ending or one.endswith(word.shown)]
        return [one.less(weights.COMPOUND) for one in map(self._one, chosen) if one.frequency]

    def _several_words(self, word: Word) -> _Meant | None:
        """The fewest known words that the word is made of; of those the ones of which the rarest is most frequent."""
        text = word.shown
        if not text.isalpha() or len(text) < 2 * MIN_PART:
            return None
        # Of each beginning of the word: how many words it is made of, how rare the rarest is, and the words.
        best: dict[int, tuple[int, int, tuple[str, ...]]] = {0: (0, 0, ())}
        for end in range(MIN_PART, len(text) + 1):
            found = [
                (number + 1, max(rarity, -self._one(part).frequency), (*words, part))
                for start, (number, rarity, words) in best.items()
                if number < MOST_PARTS
                and end - start in range(MIN_PART, len(text))
                and self._knows(part := text[start:end])
            ]
            if found:
                best[end] = min((number, rarity or -1, words) for number, rarity, words in found)
        return self._together(best[len(text)][2]) if len(text) in best else None

    def _knows(self, part: str) -> bool:
        return self._one(part).frequency > 0 and self.vocabulary.knows(part)

    def _in_one_title(self, words: Sequence[str]) -> bool:
        return any(_any(self.searcher, phrase) for phrase in self._phrases(words))

    def _side_by_side(self, slots: Sequence[Slot]) -> Iterator[Query]:
        """Neighbours in the text that are neighbours in the title."""
        words = [word for slot in slots for word in slot.searched.split(" ")]
        for one, other in pairwise(words):
            for phrase in self._phrases([one, other]):
                yield Query.boost_query(phrase, weights.PHRASE)

    def _phrases(self, words: Sequence[str]) -> Iterator[Query]:
        stems = [self.tongue.stems(word) for word in words]
        for place, names in enumerate(self.tongue.fields):
            phrase = [stem[place] for stem in stems]
            if None not in phrase:
                yield Query.phrase_query(self.tongue.schema, names.title, phrase, slop=1)  # type: ignore[arg-type]

    def _slot(self, word: Word, meant: Sequence[_Meant], searched: str) -> Slot:
        query = _best([one.query for one in meant])
        in_title = _best([one.in_title for one in meant if one.in_title is not None])
        in_title = Query.boost_query(in_title, weights.IN_TITLE)
        return Slot(word.shown, searched, query, sum(one.frequency for one in meant), in_title)

    def _one(self, form: str) -> _Meant:
        return _kept(self._ones, form, lambda: self._looked_up(form))

    def _looked_up(self, form: str) -> _Meant:
        places = self._places(form, "text")
        terms = [Query.term_query(self.tongue.schema, name, stem) for name, stem in places]
        query = terms[0] if len(terms) == 1 else Query.disjunction_max_query(terms, tie_breaker=0.1)
        in_title = _best([Query.term_query(self.tongue.schema, *place) for place in self._places(form, "title")])
        return _Meant(query, sum(self.searcher.doc_freq(name, stem) for name, stem in places), form, in_title)

    def _together(self, forms: Sequence[str]) -> _Meant:
        if len(forms) == 1:
            return self._one(forms[0])
        ones = [self._one(form) for form in forms]
        with_all = Query.boolean_query([(Occur.Must, one.query) for one in ones])
        in_title = _best([one.in_title for one in ones if one.in_title is not None])
        return _Meant(with_all, min((one.frequency for one in ones), default=0), " ".join(forms), in_title)

    def _places(self, form: str, field: str) -> list[tuple[str, str]]:
        """The fields of this kind in which the form may be, and its stem in each."""
        stems = zip(self.tongue.fields, self.tongue.stems(form), strict=True)
        return [(getattr(names, field), stem) for names, stem in stems if stem is not None]

    def _code(self, text: str) -> Query | None:
        if not wording.may_be_code(text):
            return None
        code = folded_code(text)
        if len(code) < MIN_CODE or not self.searcher.doc_freq("codes", code):
            return None
        return Query.term_query(self.tongue.schema, "codes", code)


def _all(queries: Sequence[Query]) -> Query:
    """What all of them find."""
    return queries[0] if len(queries) == 1 else Query.boolean_query([(Occur.Must, one) for one in queries])


def _best(queries: Sequence[Query]) -> Query:
    """What any of them finds, by the best of its scores."""
    if len(queries) == 1:
        return queries[0]
    return Query.disjunction_max_query(queries, tie_breaker=0.0) if queries else Query.empty_query()


def _kept(kept: dict[K, V], key: K, make: Callable[[], V]) -> V:
    """What `make` gave when it was called for this key."""
    found = kept.get(key)
    return _keep(kept, key, make()) if found is None else found


def _keep(kept: dict[K, V], key: K, found: V) -> V:
    if len(kept) >= MOST_KEPT:
        kept.clear()
    kept[key] = found
    return found


def _any(searcher: tantivy.Searcher, *queries: Query) -> bool:
    """Whether some document matches all of them."""
    query = queries[0] if len(queries) == 1 else Query.boolean_query([(Occur.Must, one) for one in queries])
    return bool(searcher.search(Query.const_score_query(query, 0.0), 1, count=False).hits)
