"""Search on an OpenSearch cluster.

A search is one request: the page, its counts, and how many products have each word. Only a word that no product has,
or a text that few products have all words of, asks again.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from api.catalog.facets import RATING_STEPS
from api.catalog.queries.counting import MAX_BRANDS, Counts
from api.catalog.queries.listing import ProductQuery
from api.kernel import clock
from api.kernel.languages import Languages
from api.search import documents
from api.search.engine import matching
from api.search.engine.facets import MAX_ATTRIBUTES, MAX_VALUES
from api.search.engine.index import After, CountedAttribute, Found, SearchQuery
from api.search.engine.reader import MOST_SPELLINGS
from api.search.engine.synonyms import Synonyms, SynonymTable
from api.search.errors import IndexNotReady
from api.search.filters import Filters
from api.search.opensearch import requests
from api.search.opensearch.asking import Asked, Asking, any_of
from api.search.opensearch.cluster import ALIAS, Cluster, unanswered_as_not_ready
from api.search.opensearch.guessing import guessed, without_what_is_nowhere
from api.search.opensearch.schema import Json
from api.search.suggestions.schema import words_of
from api.search.text import read

# Spellings, and names of attributes, change seldom.
KEPT_SECONDS = 60.0
MOST_KEPT = 20_000
# Completions are phrases of so many products: the most popular that what was typed begins words of.
COMPLETED_FROM = 100
_ALL: Json = {"match_all": {}}
_TERM = re.compile(r"weight\((\w+):(\S+) in \d+\)")


@dataclass
class OpenSearchIndex:
    """The SearchIndex of one process. A cluster that does not answer is an index that is not ready (503); lists are
    then counted by the database."""

    cluster: Cluster
    synonyms: Synonyms = field(default_factory=SynonymTable)
    _spelled: dict[str, str] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)
    _forget: float = float("-inf")

    @property
    def languages(self) -> Languages:
        return self.cluster.languages

    async def search(self, query: SearchQuery) -> Found:
        """See `SearchIndex`."""
        asking = self._asking(query.language)
        asked = asking.ask(query.text) if query.text.strip() else None
        unwanted = [asking.every(asking.ask(word)) for word in query.without]
        text = _without(_ALL if asked is None else asking.every(asked), unwanted)
        answer = await self._page(text, query, asked)
        if asked is not None and 0 in _counts(answer, asked):
            understood = await guessed(self.ask, asking, asked, _counts(answer, asked))
            if understood != asked:
                asked, text = understood, _without(asking.every(understood), unwanted)
                answer = await self._page(text, query, asked)
        if asked is not None and len(asked.slots) > 1 and not answer["aggregations"]["shop"]["text"]["doc_count"]:
            kept = await without_what_is_nowhere(self.ask, asked)
            if kept != asked:
                asked, text = kept, _without(asking.every(kept), unwanted)
                answer = await self._page(text, query, asked)
        full = _total(answer)
        if asked is not None and 0 < full < asked.enough and query.sort == "relevance":
            documents_held = answer["aggregations"]["shop"]["doc_count"]
            text = _without(asking.some(asked, _counts(answer, asked), documents_held), unwanted)
            answer = await self._page(text, query, asked)
        return await self._found(answer, query, asked, full)

    async def count(self, query: ProductQuery) -> Counts | None:
        """See `ListCounter`."""
        whole = replace(query, brands=(), min_price=None, max_price=None, min_rating=None)
        groups = {
            "brands": {"terms": {"field": "brand_key", "size": 20 * MAX_BRANDS}},
            "prices": requests.of_variants("buckets", MAX_BRANDS, _ALL),
            "ratings": requests.RATINGS,
        }
        scope = {"filter": {"bool": {"filter": requests.of_list(whole)}}, "aggs": groups}
        try:
            answer = await self.ask(
                {
                    "query": {"bool": {"filter": requests.of_list(query)}},
                    "size": 0,
                    "track_total_hits": True,
                    "aggs": {"shop": {"global": {}, "aggs": {"scope": scope}}},
                }
            )
        except IndexNotReady:
            return None
        found = answer["aggregations"]["shop"]["scope"]
        most = [term for term, _ in _most_frequent(_counted(found["brands"]))[:MAX_BRANDS]]
        spelled = await self._spellings(most)
        brands = [spelled[term] for term in most]
        return Counts(_total(answer), brands, _prices(found["prices"]), _ratings(found["ratings"]))

    async def spellings(self, brands: Sequence[str]) -> tuple[str, ...] | None:
        """See `ListCounter`."""
        groups = {f"term{place}": requests.spellings(term, MOST_SPELLINGS) for place, term in enumerate(brands)}
        try:
            answer = await self.ask({"size": 0, "aggs": groups})
        except IndexNotReady:
            return None
        found = zip(brands, answer["aggregations"].values(), strict=True)
        return tuple(
            sorted(
                bucket["key"].removeprefix(term + documents.SEPARATOR)
                for term, group in found
                for bucket in group["in"]["buckets"]
            )
        )

    async def brands(self) -> list[tuple[str, int]] | None:
        """See `ListCounter`."""
        try:
            found = await self._terms("brand")
        except IndexNotReady:
            return None
        return list(found.items())

    async def attribute_names(self) -> list[str]:
        """See `KnownAttributes`."""
        try:
            return await self._attributes()
        except IndexNotReady:
            return []

    async def knows_attribute(self, name: str) -> bool:
        """See `SearchIndex`."""
        if not set(documents.spellings(name)).isdisjoint(await self._attributes()):
            return True
        # It may have come since they were read.
        self._names.clear()
        return not set(documents.spellings(name)).isdisjoint(await self._attributes())

    def forms(self, text: str, language: str | None = None) -> frozenset[str]:
        """See `SearchIndex`."""
        stems = matching.tongue(self.languages, language).stems
        forms = (form for word in read(text) for form in (*word.forms, word.shown))
        return frozenset(stem for form in forms for stem in stems(form) if stem)

    async def complete(
        self, text: str, limit: int, language: str | None = None, *, forgive: bool = True, titles: bool = True
    ) -> list[str]:
        """See `SearchIndex`; without frequent queries, and errors are not forgiven."""
        words = words_of(text)
        if not words:
            return []
        reader = language or self.languages.own
        names = [one.surface for one in matching.tongue(self.languages, language).fields]
        begun = [any_of([{"prefix": {name: {"value": word}}} for name in names]) for word in words]
        answer = await self.ask(
            {
                "query": {"bool": {"filter": begun}},
                "size": COMPLETED_FROM,
                "sort": [{"popularity": "desc"}, {"tie": "asc"}],
                "_source": ["completions"],
            }
        )
        phrases, heads, written = Counter[str](), set[str](), list[str]()
        for hit in answer["hits"]["hits"]:
            for said in hit["_source"]["completions"]:
                phrases.update(phrase for readers, phrase in said["parts"] if reader in readers)
                heads.update(phrase for readers, phrase in said["heads"] if reader in readers)
                written += [said["text"]] if titles and reader in said["readers"] else []
        common = [phrase for phrase, n in _most_frequent(phrases) if n > 1 or phrase in heads]
        best: dict[str, str] = {}
        for one in (*common, *written):
            if _begins_all(words_of(one), words):
                best.setdefault(" ".join(words_of(one)).removesuffix("s"), one)
        return list(best.values())[:limit]

    async def close(self) -> None:
        await self.cluster.client.close()

    async def ask(self, body: Json) -> Json:
        """A search request. Raises: IndexNotReady."""
        async with unanswered_as_not_ready():
            answer: Json = await self.cluster.client.search(index=ALIAS, body=body)
            return answer

    def _asking(self, language: str | None) -> Asking:
        return Asking(matching.tongue(self.languages, language), self.synonyms, language)

    async def _page(self, text: Json, query: SearchQuery, asked: Asked | None) -> Json:
        together, apart = requests.groups(text, query.filters)
        slots = (*asked.slots, *asked.also) if asked else ()
        words = {f"word{place}": {"filter": slot.query} for place, slot in enumerate(slots)}
        shop = {"global": {}, "aggs": {**apart, **words, "text": {"filter": text}}}
        return await self.ask({**requests.page(text, query), "aggs": {**together, "shop": shop}})

    async def _found(self, answer: Json, query: SearchQuery, asked: Asked | None, full: int) -> Found:
        hits = answer["hits"]["hits"]
        shown = hits[: query.limit]
        groups = _groups(answer["aggregations"])
        brands = _most_frequent(_counted(groups["brands"]))
        values = _by_attribute(_values(answer["aggregations"], query.filters))
        listed = [term for counts in values.values() for term in list(counts)[:MAX_VALUES]]
        spelled = await self._spellings([*(term for term, _ in brands[:MAX_BRANDS]), *listed])
        passed = (query.offset if query.after is None else query.after.passed) + len(shown)
        return Found(
            hits=[_card(hit, query.language, self.languages.own) for hit in shown],
            ids=[hit["_id"] for hit in shown],
            scores=[hit["sort"][0] for hit in shown] if query.sort == "relevance" else [],
            total=_total(answer),
            exact=full > 0 and (asked is None or asked.as_typed),
            brands=[(spelled[term], n) for term, n in brands[:MAX_BRANDS]],
            more_brands=len(brands) > MAX_BRANDS,
            price_ranges=list(_prices(groups["prices"]).items()),
            ratings=list(zip(RATING_STEPS, _ratings(groups["ratings"]), strict=True)),
            categories=_most_frequent(_counted(groups["categories"])),
            attributes=[_attribute(key, counts, spelled) for key, counts in values.items()],
            corrected=None if asked is None else asked.corrected,
            also_searched=() if asked is None else asked.also_searched,
            full=full,
            relaxed=() if asked is None else asked.dropped,
            last=_last(shown[-1], passed) if len(hits) > len(shown) > 0 else None,
            explained=[_explained(hit["_explanation"]) for hit in shown] if query.explain else (),
        )

    async def _spellings(self, terms: Sequence[str]) -> Mapping[str, str]:
        """How most products of the shop spell brands and values."""
        self._forget_some()
        unknown = [term for term in dict.fromkeys(terms) if term not in self._spelled]
        if unknown:
            asked = {f"term{place}": requests.spellings(term, 1) for place, term in enumerate(unknown)}
            answer = await self.ask({"size": 0, "aggs": asked})
            for place, term in enumerate(unknown):
                most = answer["aggregations"][f"term{place}"]["in"]["buckets"]
                start = term + documents.SEPARATOR
                self._spelled[term] = most[0]["key"].removeprefix(start) if most else term
        return self._spelled

    async def _attributes(self) -> list[str]:
        self._forget_some()
        if not self._names:
            self._names = sorted(await self._terms("attribute_names"))
        return self._names

    async def _terms(self, name: str) -> dict[str, int]:
        """All terms of a field with their numbers of products."""
        answer = await self.ask({"size": 0, "aggs": {"in": {"terms": {"field": name, "size": requests.MOST_GROUPS}}}})
        return _counted(answer["aggregations"]["in"])

    def _forget_some(self) -> None:
        if self._forget < clock.monotonic() or len(self._spelled) > MOST_KEPT:
            self._spelled, self._names, self._forget = {}, [], clock.monotonic() + KEPT_SECONDS


def _without(text: Json, unwanted: Sequence[Json]) -> Json:
    return {"bool": {"must": [text], "must_not": list(unwanted)}} if unwanted else text


def _total(answer: Json) -> int:
    return int(answer["hits"]["total"]["value"])


def _counts(answer: Json, asked: Asked) -> list[int]:
    """How many products each word is in."""
    shop = answer["aggregations"]["shop"]
    return [int(shop[f"word{place}"]["doc_count"]) for place in range(len(asked.slots) + len(asked.also))]


def _card(hit: Json, language: str | None, own: str) -> str:
    """The JSON of a SearchResultItem at the price of the cheapest variant that was asked for."""
    cheapest = hit["inner_hits"]["variants"]["hits"]["hits"][0]["_source"]["price_cents"]
    card = {**hit["_source"]["card"], "price": cheapest / 100}
    if language is not None:
        title, other = documents.shown_title(hit["_source"]["titles"] or {own: card["title"]}, language)
        card |= {"title": title, "titleLanguage": other}
    return orjson.dumps(card).decode()


def _last(hit: Json, passed: int) -> After:
    value, tie = hit["sort"]
    return After(float(value), int(tie), passed)


def _groups(answered: Json) -> Json:
    """Each group, wherever it was counted."""
    return {
        name: answered[name] if name in answered else answered["shop"][name]["in"]
        for name in ("brands", "categories", "prices", "ratings")
    }


def _values(answered: Json, filters: Filters) -> dict[str, int]:
    """Values by term: those of an attribute with a filter of its own without it."""
    asked = requests.asked_attributes(filters)
    counts = {term: n for term, n in _products(answered["values"]).items() if _name_of(term) not in asked}
    for place, name in enumerate(asked):
        apart = _products(answered["shop"][f"values{place}"]["in"])
        counts |= {term: n for term, n in apart.items() if _name_of(term) == name}
    return counts


def _name_of(term: str) -> str:
    return term.partition(documents.SEPARATOR)[0]


def _by_attribute(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The attributes that most products have, with their terms, the most frequent first."""
    found: dict[str, dict[str, int]] = {}
    for term, n in _most_frequent(counts):
        found.setdefault(_name_of(term), {})[term] = n
    most = sorted(found.items(), key=lambda one: (-sum(one[1].values()), one[0]))
    return dict(most[:MAX_ATTRIBUTES])


def _attribute(key: str, counts: Mapping[str, int], spelled: Mapping[str, str]) -> CountedAttribute:
    shown = [(spelled[term].split(documents.SEPARATOR), n) for term, n in list(counts.items())[:MAX_VALUES]]
    return CountedAttribute(key, shown[0][0][0], [(words[1], n) for words, n in shown], len(counts) > MAX_VALUES)


def _counted(group: Json) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in group["buckets"]}


def _products(group: Json) -> dict[str, int]:
    """Of a group of variants, how many products each term has."""
    return {one["key"]: one["products"]["doc_count"] for one in group["chosen"]["in"]["buckets"]}


def _prices(group: Json) -> dict[int, int]:
    return {int(bucket): n for bucket, n in sorted(_products(group).items())}


def _ratings(group: Json) -> list[int]:
    by_step = {bucket["key"]: bucket["doc_count"] for bucket in group["buckets"]}
    return [by_step[str(step)] for step in RATING_STEPS]


def _most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _begins_all(words: Sequence[str], typed: Sequence[str]) -> bool:
    return all(any(word.startswith(one) for word in words) for one in typed)


def _explained(tree: Json) -> Json:
    """As `engine.explaining`: the first part of a weighed score is the text's."""
    text = tree["details"][0]["value"] if tree.get("details") else tree["value"]
    parts = _parts(tree["details"][0]) if tree.get("details") else []
    return {"score": tree["value"], "text": text, "popularity": tree["value"] / text if text else 1.0, "parts": parts}


def _parts(node: Json) -> list[Json]:
    found: list[Json] = []
    for one in node.get("details", ()):
        word = _TERM.search(one["description"])
        if one["value"] and word is not None:
            found.append({"value": one["value"], "why": f"{word[2]} in {word[1]}", "parts": []})
        elif one["value"]:
            found += _parts(one)
    return found
