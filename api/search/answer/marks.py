"""Marks of the words that a result was found by."""

import html
import re
from collections.abc import Callable
from uuid import UUID

import orjson

from api.catalog.queries.index_feed import descriptions_of
from api.kernel.context import Context
from api.kernel.languages import Reader
from api.search.engine.index import Found, SearchIndex, SearchQuery

# What a reader sees as one word.
_WORD = re.compile(r"\w+(?:[-'\u2019.]\w+)*")
OPEN, CLOSE = "<em>", "</em>"
SNIPPET = 160
# The forms of the words of a text.
Forms = Callable[[str], frozenset[str]]


def marked(text: str, asked: frozenset[str], forms: Forms) -> str:
    """The text as HTML, its words of `asked` within `em`: everything else is escaped."""
    pieces, end = [], 0
    for word in _WORD.finditer(text):
        if forms(word[0]) & asked:
            pieces += [html.escape(text[end : word.start()]), OPEN, html.escape(word[0]), CLOSE]
            end = word.end()
    return "".join(pieces) + html.escape(text[end:])


def snippet(text: str, asked: frozenset[str], forms: Forms) -> str | None:
    """As `marked`, of about SNIPPET characters of a longer text around the first of the words; None without any."""
    plain = " ".join(text.split())
    first = next((word for word in _WORD.finditer(plain) if forms(word[0]) & asked), None)
    if first is None:
        return None
    begin = max(0, first.start() - SNIPPET // 3)
    begin = plain.find(" ", begin) + 1 if begin else 0
    begin = min(begin, first.start())
    end = len(plain) if begin + SNIPPET >= len(plain) else max(plain.rfind(" ", 0, begin + SNIPPET), first.end())
    around = ("\u2026" if begin else "", "\u2026" if end < len(plain) else "")
    return around[0] + marked(plain[begin:end], asked, forms) + around[1]


async def with_marks(ctx: Context, index: SearchIndex, query: SearchQuery, found: Found, reader: Reader) -> list[str]:
    """The results, each with its `highlights`: of the title as it is shown, and of the description that the reader is
    shown on the product's page."""
    searched = (found.corrected or query.text, *found.also_searched)
    asked = frozenset[str]().union(*(index.forms(text, query.language) for text in searched))

    def forms(word: str) -> frozenset[str]:
        return index.forms(word, query.language)

    async with ctx.db.read(may_lag=True) as tx:
        texts = await descriptions_of(tx, [UUID(one) for one in found.ids])
    marks = []
    for product, hit in zip(found.ids, found.hits, strict=True):
        own, translations = texts.get(product, (None, None))
        said = (translations or {}).get(reader.language, {}).get("description") or own
        shown = {
            "title": marked(orjson.loads(hit)["title"], asked, forms),
            "description": snippet(said, asked, forms) if said else None,
        }
        marks.append(f'{hit[:-1]},"highlights":{orjson.dumps(shown).decode()}}}')
    return marks
