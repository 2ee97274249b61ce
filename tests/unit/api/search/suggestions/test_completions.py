"""Completions: frequent queries, then phrases, then titles; what a change of the catalog changes of them."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import tantivy

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.search.suggestions import reader as suggestions
from api.search.suggestions.queries import FrequentQuery
from api.search.suggestions.schema import FOLDER
from api.search.suggestions.writer import Updater
from api.search.text import surface_words
from tests.harness.suggesting import Suggested, product, titled


def test_phrases_come_before_titles(tmp_path: Path) -> None:
    suggested = Suggested(tmp_path, titled("Laptop stand oak", "Desk lamp", "Dell Vostro laptop", "HP Pavilion laptop"))

    expected = ["laptop", "laptop stand", "Dell Vostro laptop", "HP Pavilion laptop", "Laptop stand oak"]
    found = suggested.complete("lap")
    assert found[:2] + sorted(found[2:]) == expected


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Suggested:
    titles = ("Crème brûlée dish", "Wi-Fi router", "Women's shoes", "手机壳 透明",
        "Чехолы", "Desk lamp")  # fmt: skip
    return Suggested(tmp_path_factory.mktemp("generation"), titled(*titles))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("creme brulee", "cr\u00e8me br\u00fbl\u00e9e"),
        ("CR\u00c8ME BR", "cr\u00e8me br\u00fbl\u00e9e"),
        ("brulee cre", "cr\u00e8me br\u00fbl\u00e9e"),
        ("wifi", "wi-fi router"),
        ("wi-f", "wi-fi router"),
        ("router wif", "wi-fi router"),
        ("rooter", "wi-fi router"),
        ("ruoter wifi", "wi-fi router"),
        ("xouter", "wi-fi router"),
        ("womens sh", "women's shoes"),
        ("women's sh", "women's shoes"),
        ("\u624b\u673a", "\u624b\u673a\u58f3 \u900f\u660e"),
        ("\u0447\u0435\u0445", "\u0447\u0435\u0445\u043e\u043b\u044b"),
    ],
)
def test_any_order_accents_and_errors(mixed: Suggested, typed: str, expected: str) -> None:
    assert mixed.complete(typed)[0] == expected


@pytest.mark.parametrize("typed", ["", "  ", "-", "zzzz", "lamps stand", "x" * 500, "%", "*", "lam*"])
def test_what_begins_nothing_is_not_completed(tmp_path: Path, typed: str) -> None:
    assert Suggested(tmp_path, titled("Desk lamp", "Laptop stand")).complete(typed, forgive=False) in (
        [],
        ["desk lamp"],
    )


def test_an_error_is_forgiven_only_where_nothing_begins_so(tmp_path: Path) -> None:
    suggested = Suggested(tmp_path, titled("Desk lamp", "Disk case"))

    assert suggested.complete("desk") == ["desk lamp"]
    assert suggested.complete("dsek") == ["desk lamp"]
    assert suggested.complete("dsek", forgive=False) == []
    assert suggested.complete("dsk") == []  # too short


def test_frequent_queries_come_first_in_their_language(tmp_path: Path) -> None:
    queries = [FrequentQuery("Lamp for a desk", 90), FrequentQuery("lampe", 40, "de")]
    suggested = Suggested(tmp_path, titled("Desk lamp", "Table lamp"), Languages.of("en,de"), queries)

    assert suggested.complete("lam", 3) == ["lamp for a desk", "lamp", "desk lamp"]
    assert suggested.complete("lam", 3, "de") == ["lamp for a desk", "lampe", "lamp"]

    suggested.updater.queries = [FrequentQuery("lamp shade", 5)]
    assert suggested.change() == 3  # two go, one comes
    assert suggested.complete("lam", 2, "de") == ["lamp shade", "lamp"]
    assert suggested.change() == 0


def test_each_reader_is_answered_with_the_titles_that_he_is_shown(tmp_path: Path) -> None:
    lamp = product(1, "Desk lamp", translations={"de": {"title": "Schreibtischlampe"}})
    suggested = Suggested(tmp_path, [lamp, product(2, "Screw set")], Languages.of("en,de"))

    assert suggested.complete("s", language="de") == ["schreibtischlampe", "screw set"]
    assert suggested.complete("s") == ["screw set"]
    assert suggested.complete("desk", language="de") == []


def test_a_changed_price_writes_nothing_and_a_changed_title_what_it_has(tmp_path: Path) -> None:
    stand, lamp = titled("Laptop stand", "Desk lamp")
    suggested = Suggested(tmp_path, [stand, lamp])
    commits = (tmp_path / FOLDER / "meta.json").stat().st_mtime_ns

    assert suggested.change(replace(stand, variants=[{"price": "2.00", "attributes": {}}], in_stock=False)) == 0
    assert (tmp_path / FOLDER / "meta.json").stat().st_mtime_ns == commits

    suggested.change(replace(stand, title="Laptop table"))
    assert suggested.complete("laptop") == ["laptop table"]
    suggested.change(replace(stand, live=False))
    assert suggested.complete("laptop") == []
    assert suggested.complete("goods") == ["goods"]  # the category of the other one
    suggested.change(replace(lamp, live=False))
    assert suggested.complete("goods") == []


def _held(generation: Path) -> list[str]:
    """Everything that the index holds, but for words: they are only ever added."""
    index = tantivy.Index.open(str(generation / FOLDER))
    searcher = index.searcher()
    hits = searcher.search(tantivy.Query.all_query(), 10_000, count=False).hits
    documents = [searcher.doc(address).to_dict() for _, address in hits]
    return sorted(repr(sorted(document.items())) for document in documents if "word" not in document)


@pytest.mark.parametrize("seed", range(2))
def test_changes_leave_what_a_build_would_make(tmp_path: Path, seed: int) -> None:
    """Random changes in batches, read by new writers that remember nothing, and a build of the same catalog."""
    draw = random.Random(seed)
    nouns, kinds = ["lamp", "stand", "case", "mug"], ["Desk", "Laptop", "Oak", "Red", "Blue steel"]
    (tmp_path / "changed").mkdir()
    suggested = Suggested(tmp_path / "changed")
    living: dict[int, IndexedProduct] = {}
    for _ in range(20):
        changed = {}
        for _ in range(draw.randrange(1, 5)):
            number = draw.randrange(1, 30)
            title = f"{draw.choice(kinds)} {draw.choice(nouns)}"
            changed[number] = product(number, title, live=draw.random() < 0.7, brand=draw.choice([None, "Acme"]))
        if draw.random() < 0.3:
            suggested.updater = type(suggested.updater)(suggested.languages.known)
        suggested.change(*changed.values())
        living |= changed
    (tmp_path / "built").mkdir()
    Suggested(tmp_path / "built", [one for one in living.values() if one.live])

    assert _held(tmp_path / "changed") == _held(tmp_path / "built")
    assert len(_held(tmp_path / "built")) > 15


def test_every_title_is_completed_by_its_beginning(tmp_path: Path) -> None:
    titles = [f"Thing {chr(97 + i)}{chr(97 + j)} of wonder" for i in range(6) for j in range(6)]
    suggested = Suggested(tmp_path, titled(*titles))

    for title in titles:
        assert title in suggested.complete(title), title
        assert surface_words(suggested.complete(title)[-1])[1] == surface_words(title)[1]


def test_two_writers_in_turn_add_each_word_once(tmp_path: Path) -> None:
    suggested = Suggested(tmp_path, titled("Desk lamp"))
    other = Updater(suggested.languages.known)
    suggested.change(product(2, "Oak stand"))
    first, suggested.updater = suggested.updater, other
    suggested.change(product(3, "Pine bench"))
    suggested.updater = first
    suggested.change(product(4, "Pine bench"))

    index = tantivy.Index.open(str(tmp_path / FOLDER))
    words = dict(index.searcher().terms_with_prefix("word", ""))
    assert words.keys() >= {"desk", "lamp", "oak", "stand", "pine", "bench", "goods"}
    assert set(words.values()) == {1}


def test_phrases_that_are_kept_by_word_are_those_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{a} {b} {c}" for a in ("Oak", "Red") for b in ("desk", "side table") for c in ("lamp", "stand", "set")]
    suggested = Suggested(tmp_path, titled(*names, *names), Languages.of("en,de"))
    typed = ("d", "desk", "lamp d", "s t", "oak", "stand desk r", "zz desk", "desk zz", "tabel")
    kept = [suggested.complete(text, language=language) for text in typed for language in ("en", "de", None)]
    assert sum(map(bool, kept)) > len(typed)

    monkeypatch.setattr(suggestions, "MAX_BEGUN", -1)
    assert kept == [suggested.complete(text, language=language) for text in typed for language in ("en", "de", None)]
