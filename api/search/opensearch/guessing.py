"""What a word that no product has may mean: several words, one that it is a part of, or one that is spelled like it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from api.search.opensearch.asking import MIN_PART, Asked, Asking, Slot, any_of
from api.search.opensearch.schema import Json
from api.search.suggestions import edits
from api.search.suggestions.entries import is_word
from api.search.suggestions.reader import MIN_CORRECTED, MIN_TWICE
from api.search.suggestions.real_words import real_words

Ask = Callable[[Json], Awaitable[Json]]
MOST_MEANT = 5
# Of the matched words of the best product, so many times the score that it has for them.
_EACH = 1_000.0


async def guessed(ask: Ask, asking: Asking, asked: Asked, counts: Sequence[int]) -> Asked:
    """The text with what its unknown words may mean, and without those that mean nothing. `counts`: how many products
    each word is in."""
    known = [slot for slot, count in zip(asked.slots, counts, strict=True) if count]
    slots: list[Slot] = []
    lost: list[Slot] = []
    for slot, count in zip(asked.slots, counts, strict=True):
        meant = slot if count else await _meant(ask, asking, slot, known)
        slots.append(meant or slot)
        lost += [] if meant else [slot]
    return replace(asked, slots=tuple(slots)).without(lost)


async def without_what_is_nowhere(ask: Ask, asked: Asked) -> Asked:
    """No product has all words: those of the best product of those with the most of them are required, and the others
    find too."""
    clauses = [
        {"constant_score": {"filter": slot.query, "boost": _EACH, "_name": str(place)}}
        for place, slot in enumerate(asked.slots)
    ]
    found = (await ask({"query": {"bool": {"should": [*clauses, *(one.query for one in asked.slots)]}}, "size": 1}))[
        "hits"
    ]["hits"]
    if not found:
        return asked
    matched = set(found[0]["matched_queries"])
    lost = tuple(slot for place, slot in enumerate(asked.slots) if str(place) not in matched)
    return replace(asked.without(lost), also=lost)


async def _meant(ask: Ask, asking: Asking, slot: Slot, known: Sequence[Slot]) -> Slot | None:
    word = slot.typed
    if not slot.may_be_misspelled or len(word) < MIN_CORRECTED:
        return None
    parts = [(word[:end], word[end:]) for end in range(MIN_PART, len(word) - MIN_PART + 1)]
    filters = {f"parts{place}": any_of(asking.side_by_side(pair)) for place, pair in enumerate(parts)}
    corrected = is_word(word) and not any(
        word in real_words(language) for language in {asking.tongue.language, asking.tongue.own}
    )
    suggested = {names.surface: _near(word, names.surface) for names in asking.tongue.fields} if corrected else {}
    answer = await ask(
        {
            "size": 0,
            "aggs": {name: {"filter": one} for name, one in {**filters, "compound": asking.compounds(word)}.items()},
            **({"suggest": suggested} if suggested else {}),
        }
    )
    counted = {name: group["doc_count"] for name, group in answer["aggregations"].items()}
    best = max(range(len(parts)), key=lambda place: int(counted[f"parts{place}"]), default=None)
    if best is not None and counted[f"parts{best}"]:
        return asking.known_as(slot, " ".join(parts[best]))
    if counted["compound"]:
        return replace(slot, query=asking.compounds(word))
    near = _likely(word, answer.get("suggest", {}))
    if len(near) > 1 and known:
        near = await _with_others(ask, asking, near, known)
    return asking.known_as(slot, near[0]) if near else None


def _near(word: str, surface: str) -> Json:
    """The words of a field at most two edits away."""
    term = {"field": surface, "size": 10 * MOST_MEANT, "suggest_mode": "always", "max_edits": 2, "prefix_length": 0}
    return {"text": word, "term": {**term, "min_word_length": MIN_CORRECTED, "sort": "frequency"}}


def _likely(word: str, suggested: Json) -> list[str]:
    """Those one edit away, then those two away; of each the likelier first."""
    options = {one["text"]: one["freq"] for group in suggested.values() for one in group[0]["options"]}
    ranked = []
    for other, frequency in options.items():
        distance = edits.edits(word, other, 2)
        if distance <= (2 if len(word) >= MIN_TWICE else 1) and is_word(other):
            ranked.append((distance, -frequency, other))
    return [other for _, _, other in sorted(ranked)[:MOST_MEANT]]


async def _with_others(ask: Ask, asking: Asking, near: Sequence[str], known: Sequence[Slot]) -> list[str]:
    """Those first that some product has with the other words."""
    others = [slot.query for slot in known]
    aggs = {
        f"near{place}": {"filter": {"bool": {"filter": [*others, asking.one(word)]}}} for place, word in enumerate(near)
    }
    answer = await ask({"size": 0, "aggs": aggs})
    places = range(len(near))
    return [
        near[place] for place in sorted(places, key=lambda one: not answer["aggregations"][f"near{one}"]["doc_count"])
    ]
