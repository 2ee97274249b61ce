"""How the stand-in for an OpenSearch node (`opensearch.py`) holds, finds and counts documents.

It refuses what OpenSearch would refuse and what it does not know itself: unknown parts of a request, fields that the
mapping lacks or that are of the wrong type, pages beyond the window. It holds few documents and looks at each of them.
"""

import fnmatch
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.search.suggestions import edits

Json = dict[str, Any]  # Any: JSON
NUMBERS = {"long", "integer", "byte", "float"}
K1, B = 1.2, 0.75


class Refused(Exception):
    """A request that OpenSearch answers with 400."""


@dataclass
class Doc:
    """A document, or one of its nested ones; fields by their whole names."""

    id: str
    source: Json
    fields: dict[str, list[Any]] = field(default_factory=dict)
    nested: dict[str, list["Doc"]] = field(default_factory=dict)
    root: "Doc | None" = None


@dataclass
class Index:
    body: Json
    written: dict[str, Json] = field(default_factory=dict)
    docs: list[Doc] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.types = dict(_types(self.body.get("mappings", {}).get("properties", {}), ""))
        for kind in self.types.values():
            if kind["type"] == "text" and kind["analyzer"] != "whitespace":
                raise Refused(f"analyzer [{kind['analyzer']}] has not been configured in mappings")

    def kind(self, name: str, *allowed: str) -> str:
        found = str(self.types.get(name, {}).get("type"))
        if found not in allowed:
            raise Refused(f"[{name}] is [{found}], not one of {allowed}")
        return found

    def words(self, name: str, text: str) -> list[str]:
        self.kind(name, "text")
        return text.split()

    def write(self, doc_id: str, source: Json) -> str | None:
        """What is wrong with it."""
        try:
            self._doc(doc_id, source)
        except Refused as error:
            return str(error)
        self.written[doc_id] = source
        return None

    def refresh(self) -> None:
        self.docs = [self._doc(doc_id, source) for doc_id, source in self.written.items()]
        self.stats = {
            name: _Stats([doc.fields[name] for doc in self.docs if doc.fields.get(name)])
            for name, kind in self.types.items()
            if kind["type"] == "text"
        }

    def _doc(self, doc_id: str, source: Json) -> Doc:
        doc = Doc(doc_id, source)
        self._fill(doc, source, "", doc)
        return doc

    def _fill(self, doc: Doc, source: Json, prefix: str, root: Doc) -> None:
        for key, value in source.items():
            name, values = prefix + key, value if isinstance(value, list) else [value]
            kind = self.types.get(name)
            if kind is None:
                raise Refused(f"strict_dynamic_mapping_exception: [{name}] is not allowed")
            if kind["type"] == "nested":
                doc.nested[name] = [Doc(doc.id, one, root=root) for one in values]
                for inner in doc.nested[name]:
                    self._fill(inner, inner.source, f"{name}.", root)
            elif kind["type"] == "text":
                doc.fields[name] = [word for one in values for word in self.words(name, one)]
            elif kind["type"] != "object":
                doc.fields[name] = [_parsed(kind["type"], one) for one in values if one is not None]


class _Stats:
    def __init__(self, texts: Sequence[list[str]]) -> None:
        self.number = len(texts)
        self.average = sum(map(len, texts)) / max(1, len(texts))
        self.frequency = Counter(word for text in texts for word in set(text))

    def score(self, text: list[str], word: str, often: float) -> float:
        known = self.frequency[word]
        rare = math.log(1 + (self.number - known + 0.5) / (known + 0.5))
        return rare * often / (often + K1 * (1 - B + B * len(text) / self.average))


@dataclass
class Search:
    """The queries of one request on one index: each gives the score of a document, None where it is not found."""

    index: Index
    named: dict[tuple[str, str], bool] = field(default_factory=dict)
    inner: dict[str, tuple[Json, Json]] = field(default_factory=dict)

    def score(self, query: Json, doc: Doc) -> float | None:
        (name, asked), *more = query.items()
        if more or not hasattr(self, f"_{name}"):
            raise Refused(f"[{name}] malformed or unknown query")
        found: float | None = getattr(self, f"_{name}")(asked, doc)
        return found

    def _match_all(self, asked: Json, doc: Doc) -> float | None:
        _only(asked)
        return 1.0

    def _match_none(self, asked: Json, doc: Doc) -> float | None:
        _only(asked)
        return None

    def _match(self, asked: Json, doc: Doc) -> float | None:
        name, said = _one(asked, "query", "boost")
        text = doc.fields.get(name, [])
        words = [word for word in self.index.words(name, said["query"]) if word in text]
        scores = [self.index.stats[name].score(text, word, text.count(word)) for word in words]
        return sum(scores) * said.get("boost", 1.0) if words else None

    def _match_phrase(self, asked: Json, doc: Doc) -> float | None:
        name, said = _one(asked, "query", "slop", "boost")
        text, words = doc.fields.get(name, []), self.index.words(name, said["query"])
        starts = [{place - i for place, one in enumerate(text) if one == word} for i, word in enumerate(words)]
        slop = said.get("slop", 0)
        near = [
            first
            for first in (starts[0] if starts else ())
            if all(any(abs(first - other) <= slop for other in places) for places in starts)
        ]
        stats = self.index.stats.get(name)
        if not near or stats is None:
            return None
        return sum(stats.score(text, word, len(near)) for word in words) * float(said.get("boost", 1.0))

    def _term(self, asked: Json, doc: Doc) -> float | None:
        ((name, value),) = asked.items()
        self.index.kind(name, "keyword", "boolean")
        return 1.0 if value in doc.fields.get(name, ()) else None

    def _terms(self, asked: Json, doc: Doc) -> float | None:
        ((name, values),) = asked.items()
        self.index.kind(name, "keyword")
        return None if set(values).isdisjoint(doc.fields.get(name, ())) else 1.0

    def _range(self, asked: Json, doc: Doc) -> float | None:
        name, ends = _one(asked, "gte", "lte")
        self.index.kind(name, *NUMBERS)
        return 1.0 if any(ends["gte"] <= one <= ends["lte"] for one in doc.fields.get(name, ())) else None

    def _prefix(self, asked: Json, doc: Doc) -> float | None:
        name, said = _one(asked, "value")
        self.index.kind(name, "keyword", "text")
        return 1.0 if any(one.startswith(said["value"]) for one in doc.fields.get(name, ())) else None

    def _wildcard(self, asked: Json, doc: Doc) -> float | None:
        name, said = _one(asked, "value", "boost")
        self.index.kind(name, "keyword", "text")
        found = any(fnmatch.fnmatchcase(one, said["value"]) for one in doc.fields.get(name, ()))
        return float(said.get("boost", 1.0)) if found else None

    def _bool(self, asked: Json, doc: Doc) -> float | None:
        _only(asked, "must", "should", "filter", "must_not", "minimum_should_match", "boost")
        must = [self.score(one, doc) for one in asked.get("must", ())]
        filters = [self.score(one, doc) for one in asked.get("filter", ())]
        should = [found for one in asked.get("should", ()) if (found := self.score(one, doc)) is not None]
        unwanted = [self.score(one, doc) for one in asked.get("must_not", ())]
        least = asked.get("minimum_should_match", int("should" in asked and not must and not filters))
        if None in must or None in filters or len(should) < least or any(one is not None for one in unwanted):
            return None
        return float((sum(one for one in must if one is not None) + sum(should)) * asked.get("boost", 1.0))

    def _dis_max(self, asked: Json, doc: Doc) -> float | None:
        _only(asked, "queries", "tie_breaker")
        found = [score for one in asked["queries"] if (score := self.score(one, doc)) is not None]
        rest = asked.get("tie_breaker", 0.0)
        return max(found) + rest * (sum(found) - max(found)) if found else None

    def _constant_score(self, asked: Json, doc: Doc) -> float | None:
        _only(asked, "filter", "boost", "_name")
        found = self.score(asked["filter"], doc) is not None
        if "_name" in asked:
            self.named[doc.id, asked["_name"]] = found
        return float(asked.get("boost", 1.0)) if found else None

    def _nested(self, asked: Json, doc: Doc) -> float | None:
        _only(asked, "path", "query", "score_mode", "inner_hits")
        self.index.kind(asked["path"], "nested")
        if "inner_hits" in asked:
            _only(asked["inner_hits"], "size", "sort", "_source")
            self.inner[asked["path"]] = asked["query"], asked["inner_hits"]
        inner = doc.nested.get(asked["path"], [])
        return 1.0 if any(self.score(asked["query"], one) is not None for one in inner) else None

    def _function_score(self, asked: Json, doc: Doc) -> float | None:
        _only(asked, "query", "field_value_factor", "boost_mode")
        factor = asked["field_value_factor"]
        _only(factor, "field", "modifier")
        self.index.kind(factor["field"], *NUMBERS)
        if (factor["modifier"], asked["boost_mode"]) != ("ln2p", "multiply"):
            raise Refused("unknown modifier or mode")
        found = self.score(asked["query"], doc)
        return None if found is None else found * math.log(2 + doc.fields[factor["field"]][0])

    def counted(self, aggs: Json, docs: Sequence[Doc]) -> Json:
        found: Json = {}
        for name, asked in aggs.items():
            kinds = set(asked) - {"aggs"}
            if len(kinds) != 1:
                raise Refused(f"aggregation [{name}]: one type is needed, found {kinds}")
            kind = kinds.pop()
            found[name] = getattr(self, f"_by_{kind}")(asked[kind], asked.get("aggs", {}), docs)
        return found

    def _group(self, docs: Sequence[Doc], aggs: Json) -> Json:
        return {"doc_count": len(docs), **self.counted(aggs, docs)}

    def _by_filter(self, asked: Json, aggs: Json, docs: Sequence[Doc]) -> Json:
        return self._group([doc for doc in docs if self.score(asked, doc) is not None], aggs)

    def _by_global(self, asked: Json, aggs: Json, docs: Sequence[Doc]) -> Json:
        _only(asked)
        return self._group(self.index.docs, aggs)

    def _by_nested(self, asked: Json, aggs: Json, docs: Sequence[Doc]) -> Json:
        _only(asked, "path")
        self.index.kind(asked["path"], "nested")
        return self._group([inner for doc in docs for inner in doc.nested.get(asked["path"], [])], aggs)

    def _by_reverse_nested(self, asked: Json, aggs: Json, docs: Sequence[Doc]) -> Json:
        _only(asked)
        return self._group(list({doc.id: doc.root for doc in docs if doc.root is not None}.values()), aggs)

    def _by_terms(self, asked: Json, aggs: Json, docs: Sequence[Doc]) -> Json:
        _only(asked, "field", "size", "include")
        self.index.kind(asked["field"], "keyword", *NUMBERS)
        holding: dict[Any, list[Doc]] = {}
        for doc in docs:
            for term in set(doc.fields.get(asked["field"], ())):
                holding.setdefault(term, []).append(doc)
        if "include" in asked:
            pattern = re.compile(asked["include"], re.DOTALL)
            holding = {term: those for term, those in holding.items() if pattern.fullmatch(term)}
        ranked = sorted(holding.items(), key=lambda one: (-len(one[1]), one[0]))
        shown = [{"key": term, **self._group(those, aggs)} for term, those in ranked[: asked["size"]]]
        return {"buckets": shown, "sum_other_doc_count": sum(len(those) for _, those in ranked[asked["size"] :])}

    def _by_range(self, asked: Json, aggs: Json, docs: Sequence[Doc]) -> Json:
        _only(asked, "field", "ranges")
        self.index.kind(asked["field"], *NUMBERS)
        buckets = []
        for one in asked["ranges"]:
            _only(one, "key", "from")
            those = [doc for doc in docs if any(value >= one["from"] for value in doc.fields.get(asked["field"], ()))]
            buckets.append({"key": one["key"], **self._group(those, aggs)})
        return {"buckets": buckets}

    def page(self, body: Json) -> Json:
        """The answer to a _search."""
        _only(
            body, "query", "size", "from", "sort", "track_total_hits", "_source", "explain", "search_after", "aggs",
            "suggest",
        )  # fmt: skip
        size, offset = body.get("size", 10), body.get("from", 0)
        window = self.index.body["settings"].get("max_result_window", 10_000)
        if size + offset > window:
            raise Refused(f"Result window is too large, from + size must be less than or equal to: [{window}]")
        query = body.get("query", {"match_all": {}})
        found = [(score, doc) for doc in self.index.docs if (score := self.score(query, doc)) is not None]
        orders = [_order(one) for one in body.get("sort", [{"_score": "desc"}])]
        ranked = []
        for score, doc in found:
            values = [self._sorted_by(name, asked, score, doc) for name, asked in orders]
            ranked.append(
                ([_sign(asked) * value for (_, asked), value in zip(orders, values, strict=True)], values, score, doc)
            )
        ranked.sort(key=lambda one: one[0])
        if "search_after" in body:
            after = [_sign(asked) * value for (_, asked), value in zip(orders, body["search_after"], strict=True)]
            ranked = [one for one in ranked if one[0] > after]
        hits = [self._hit(body, values, score, doc) for _, values, score, doc in ranked[offset : offset + size]]
        return {
            "hits": {"total": {"value": len(found), "relation": "eq"}, "hits": hits},
            **({"aggregations": self.counted(body["aggs"], [doc for _, doc in found])} if "aggs" in body else {}),
            **({"suggest": self._suggested(body["suggest"])} if "suggest" in body else {}),
        }

    def _sorted_by(self, name: str, asked: Json, score: float, doc: Doc) -> float:
        if name == "_score":
            return score
        _only(asked, "order", "mode", "nested")
        self.index.kind(name, *NUMBERS)
        if "nested" not in asked:
            return float(doc.fields[name][0]) if self.index.kind(name, *NUMBERS) == "float" else doc.fields[name][0]
        _only(asked["nested"], "path", "filter")
        inner = doc.nested[asked["nested"]["path"]]
        values = [one.fields[name][0] for one in inner if self.score(asked["nested"]["filter"], one) is not None]
        return {"min": min, "max": max}[asked["mode"]](values)  # type: ignore[no-any-return]

    def _hit(self, body: Json, values: list[float], score: float, doc: Doc) -> Json:
        wanted = body.get("_source", list(doc.source))
        hit: Json = {
            "_id": doc.id,
            "_score": score,
            "sort": values,
            "_source": doc.source
            if wanted is None
            else {name: doc.source[name] for name in wanted if name in doc.source},
        }
        if matched := [name for (one, name), found in self.named.items() if one == doc.id and found]:
            hit["matched_queries"] = matched
        if body.get("explain"):
            hit["_explanation"] = {
                "value": score, "description": "function score, product of:",
                "details": [{"value": score / 2, "description": "sum of:", "details": []}],
            }  # fmt: skip
        for path, (query, asked) in self.inner.items():
            ((name, order),) = asked["sort"][0].items()
            those = [one for one in doc.nested[path] if self.score(query, one) is not None]
            those.sort(key=lambda one: one.fields[name][0], reverse=order == "desc")
            shown = [{"_source": {n.rpartition(".")[2]: one.fields[n][0] for n in asked["_source"]}} for one in those]
            hit.setdefault("inner_hits", {})[path] = {"hits": {"hits": shown[: asked["size"]]}}
        return hit

    def _suggested(self, suggest: Json) -> Json:
        found = {}
        for name, asked in suggest.items():
            _only(asked, "text", "term")
            term, word = asked["term"], asked["text"]
            _only(term, "field", "size", "suggest_mode", "max_edits", "prefix_length", "min_word_length", "sort")
            self.index.kind(term["field"], "text")
            if not 1 <= term["max_edits"] <= 2:
                raise Refused("max_edits: 1 or 2")
            options: list[Json] = [
                {"text": other, "freq": frequency}
                for other, frequency in self.index.stats[term["field"]].frequency.items()
                if other != word
                and len(word) >= term["min_word_length"]
                and other[: term["prefix_length"]] == word[: term["prefix_length"]]
                and edits.edits(word, other, term["max_edits"]) <= term["max_edits"]
            ]
            ranked = sorted(options, key=lambda one: (-one["freq"], one["text"]))
            found[name] = [{"text": word, "options": ranked[: term["size"]]}]
        return found


def _only(asked: Json, *names: str) -> None:
    if unknown := set(asked) - set(names):
        raise Refused(f"unknown {sorted(unknown)}")


def _one(asked: Json, *names: str) -> tuple[str, Json]:
    ((name, said),) = asked.items()
    _only(said, *names)
    return name, said


def _order(asked: Json) -> tuple[str, Json]:
    ((name, said),) = asked.items()
    return name, {"order": said} if isinstance(said, str) else said


def _sign(asked: Json) -> int:
    return {"asc": 1, "desc": -1}[asked["order"]]


def _types(properties: Json, prefix: str) -> Iterable[tuple[str, Json]]:
    for name, kind in properties.items():
        yield prefix + name, kind
        yield from _types(kind.get("properties", {}), f"{prefix}{name}.")


def _parsed(kind: str, value: Any) -> Any:  # Any: JSON
    kinds: dict[str, type | tuple[type, ...]] = {"boolean": bool, "keyword": str, "float": (int, float)}
    if not isinstance(value, kinds.get(kind, int)):
        raise Refused(f"mapper_parsing_exception: {value!r} is no {kind}")
    return value
