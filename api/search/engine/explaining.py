"""What a result's score is made of, for those who tune it."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tantivy

from api.search.engine.paging import Hit

_TERM = re.compile(r"Term=Term\(field=(\d+), type=Str, (\".*\")\)")
_BOOST = re.compile(r"Boost x([\d.]+) of")


def explained(searcher: tantivy.Searcher, wanted: tantivy.Query, hits: Sequence[Hit], folder: Path) -> list[Any]:
    """Of each hit `score`, `text` and `popularity`, whose product it is, and the `parts` of the text's score: what
    counted, how much, and its own parts. `folder`: that of the index."""
    names = [one["name"] for one in json.loads((folder / "meta.json").read_bytes())["schema"]]
    addresses = [address for _, address in hits]
    factors = searcher.fast_field_values("liked", addresses)
    found = []
    for address, popularity in zip(addresses, factors, strict=True):
        tree = json.loads(wanted.explain(searcher, address).to_json())
        # The engine's own formula of a field that weighs a score.
        factor = math.log2(2 + float(popularity or 0))
        parts = _parts(tree, names)
        found.append({"score": tree["value"] * factor, "text": tree["value"], "popularity": factor, "parts": parts})
    return found


def _parts(node: dict[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:  # Any: JSON
    """Of one of the engine's explanations, without what adds nothing and what only says how the parts are combined."""
    found: list[dict[str, Any]] = []
    for one in node.get("details", ()):
        if not one["value"]:
            continue
        word = _TERM.search(" ".join(one.get("context", ())))
        if word is not None:
            found.append({"value": one["value"], "why": f"{json.loads(word[2])} in {names[int(word[1])]}", "parts": []})
        elif boost := _BOOST.match(one["description"]):
            inner = _parts({"details": one["details"]}, names)
            why = f"{inner[0]['why']}, times {boost[1]}" if len(inner) == 1 else f"times {boost[1]}"
            found.append({"value": one["value"], "why": why, "parts": inner[0]["parts"] if len(inner) == 1 else inner})
        elif one["description"].startswith("Phrase"):
            found.append({"value": one["value"], "why": "words side by side", "parts": []})
        else:
            inner = _parts(one, names)
            found += (
                inner if len(inner) == 1 else [{"value": one["value"], "why": "the best of, or all of", "parts": inner}]
            )
    return found
