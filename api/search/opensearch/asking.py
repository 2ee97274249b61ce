"""What a text asks a cluster for, as parts of its query language. As `engine.asking` understands texts; which words the
catalog has is what the cluster answers, with the results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from api.search import weights
from api.search.engine.synonyms import Synonyms
from api.search.opensearch.schema import Json
from api.search.text import LONGEST, Word, folded_code, read, wording
from api.search.texts import Tongue

MIN_PART = 3


@dataclass(frozen=True, slots=True)
class Slot:
    """A word that is asked for: `searched` in surface forms, `query` with its alternatives. An unknown word is taken
    for nothing else: `others` has none."""

    typed: str
    searched: str
    query: Json
    others: tuple[str, ...] = ()

    @property
    def may_be_misspelled(self) -> bool:
        return self.typed.isalpha()


@dataclass(frozen=True, slots=True)
class Asked:
    """As `engine.asking.Asked`."""

    slots: tuple[Slot, ...]
    fillers: tuple[str, ...] = ()
    code: str | None = None
    dropped: tuple[str, ...] = ()
    also: tuple[Slot, ...] = ()

    @property
    def enough(self) -> int:
        return wording.enough(self.slots, self.also)

    @property
    def corrected(self) -> str | None:
        return wording.corrected(self.slots)

    @property
    def also_searched(self) -> list[str]:
        return wording.also_searched(self.slots, self.also)

    @property
    def as_typed(self) -> bool:
        return not self.dropped and self.corrected is None

    def without(self, lost: Sequence[Slot]) -> "Asked":
        """Some words are not required."""
        kept = tuple(slot for slot in self.slots if slot not in lost)
        return replace(self, slots=kept, dropped=(*self.dropped, *(slot.typed for slot in lost)))


@dataclass(frozen=True, slots=True)
class Asking:
    """Understands the texts of readers of one language."""

    tongue: Tongue
    synonyms: Synonyms
    language: str | None = None

    def ask(self, text: str) -> Asked:
        """Each word with the other ways to write and to mean it; some may be in no product."""
        words = wording.different(read(text)[: wording.MAX_WORDS])
        asked, filling = wording.divided(words, {self.tongue.language, self.tongue.own})
        fillers = tuple(word.shown for word in filling)
        slots = tuple(self._slot(asked, place) for place in range(len(asked)))
        code = folded_code(text) if wording.may_be_code(text) else ""
        return Asked(slots, fillers, code if len(code) >= wording.MIN_CODE else None, fillers)

    def every(self, asked: Asked) -> Json:
        """The products with all words, or with the code."""
        return self._with_code(asked, self._ordered(asked, {"must": [slot.query for slot in asked.slots]}))

    def some(self, asked: Asked, counts: Sequence[int], documents: int) -> Json:
        """As `engine.asking.Asked.some`. `counts`: how many products each word is in, those of `also` last."""
        every = [*asked.slots, *asked.also]
        chosen, together = wording.filling(counts, documents)
        filling = [every[place].query for place in chosen]
        found = {"bool": {"must": filling}} if together else any_of(filling)
        others = [slot.query for place, slot in enumerate(every) if place not in chosen]
        bonus = {"bool": {"must": [slot.query for slot in asked.slots], "boost": weights.ALL_WORDS}}
        return self._with_code(asked, self._ordered(asked, {"must": [found], "should": [*others, bonus]}))

    def known_as(self, slot: Slot, searched: str, *, boost: float = 1.0) -> Slot:
        """The word understood as other words of the catalog."""
        return replace(slot, searched=searched, query=self.together(searched.split(" "), boost))

    def one(self, form: str, boost: float = 1.0) -> Json:
        """What has the form of a word, in any of the reader's fields."""
        return self._in_fields(form, "text", boost, 0.1)

    def together(self, forms: Sequence[str], boost: float = 1.0) -> Json:
        """What has all forms."""
        if len(forms) == 1:
            return self.one(forms[0], boost)
        return {"bool": {"must": [self.one(form) for form in forms], "boost": boost}}

    def side_by_side(self, words: Sequence[str], boost: float = 1.0) -> list[Json]:
        """What has the words next to each other in a title."""
        return [
            {"match_phrase": {names.title: {"query": " ".join(stems), "slop": 1, "boost": boost}}}
            for names, *stems in zip(self.tongue.fields, *map(self.tongue.stems, words), strict=True)
            if None not in stems
        ]

    def compounds(self, part: str) -> Json:
        """What has a longer word that begins or ends with this one."""
        patterns = (f"{part}{'?' * MIN_PART}*", f"*{'?' * MIN_PART}{part}")
        return any_of(
            [
                {"wildcard": {names.surface: {"value": pattern, "boost": weights.COMPOUND}}}
                for names in self.tongue.fields
                for pattern in patterns
            ]
        )

    def _slot(self, words: Sequence[Word], place: int) -> Slot:
        word = words[place]
        meant = [self.together(forms) for forms in wording.writings(word)]
        if word.joined is None and not word.shown.isalpha() and len(word.shown) >= wording.MIN_CODE:
            meant.append(_code(folded_code(word.shown), weights.CODE_IN_TEXT))
        for left, right in pairwise(words[max(place - 1, 0) : place + 2]):
            if len(left.shown) + len(right.shown) <= LONGEST:
                meant.append(self.one(left.shown + right.shown, weights.JOINED))
        for places, expression in wording.expressions(words):
            others = self.synonyms.of(expression, self.language) if place in places else []
            weight = weights.SYNONYM / len(places)
            meant += [self.together([form.shown for form in read(other)], weight) for other in others]
        return Slot(word.shown, word.shown, best_of(meant))

    def _in_fields(self, form: str, field: str, boost: float, rest: float = 0.0) -> Json:
        stems = zip(self.tongue.fields, self.tongue.stems(form), strict=True)
        found = [{"match": {getattr(names, field): {"query": stem or form, "boost": boost}}} for names, stem in stems]
        return best_of(found, rest)

    def _ordered(self, asked: Asked, clauses: dict[str, list[Json]]) -> Json:
        words = [word for slot in (*asked.slots, *asked.also) for word in slot.searched.split(" ")]
        should = [
            *clauses.get("should", ()),
            *(self._in_fields(word, "title", weights.IN_TITLE) for word in words),
            *(one for pair in pairwise(words) for one in self.side_by_side(pair, weights.PHRASE)),
            *(self.one(word, weights.FILLER) for word in asked.fillers),
        ]
        must = clauses["must"] or [{"match_none": {}}]
        return {"bool": {"must": must, "should": should}}

    def _with_code(self, asked: Asked, query: Json) -> Json:
        return query if asked.code is None else any_of([query, _code(asked.code, weights.CODE)])


def _code(code: str, boost: float) -> Json:
    return {"constant_score": {"filter": {"term": {"codes": code}}, "boost": boost}}


def any_of(queries: Sequence[Json]) -> Json:
    """What one of the queries finds, with the scores of all that do."""
    return queries[0] if len(queries) == 1 else {"bool": {"should": list(queries), "minimum_should_match": 1}}


def best_of(queries: Sequence[Json], rest: float = 0.0) -> Json:
    """The same with the best score, and a part of the rest."""
    return queries[0] if len(queries) == 1 else {"dis_max": {"queries": list(queries), "tie_breaker": rest}}
