"""Negative words, marks and paid places as plain functions."""

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.search.answer.marks import marked, snippet
from api.search.answer.negatives import split
from api.search.answer.placement import Slot, placed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("laptop -bag", ("laptop", ("bag",))),
        ("-bag laptop -Wi-Fi", ("laptop", ("bag", "Wi-Fi"))),
        ("t-shirt", ("t-shirt", ())),
        ("laptop - bag", ("laptop - bag", ())),
        ("a --b", ("a --b", ())),
        ("-", ("-", ())),
        ("", ("", ())),
        ("-bag", ("", ("bag",))),
    ],
)
def test_a_hyphen_before_a_word_takes_it_away(text: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert split(text) == expected


def forms(word: str) -> frozenset[str]:
    return frozenset(word.casefold().split())


@given(st.text(), st.text(alphabet="ab<&\"' ", max_size=5))
def test_marks_add_nothing_but_em(text: str, word: str) -> None:
    """Without them it is the text, escaped."""
    shown = marked(text, forms(word), forms)

    bare = shown.replace("<em>", "").replace("</em>", "")
    assert not re.search(r"[<>]", bare)
    assert marked(text, frozenset(), forms) == bare


def test_a_snippet_is_around_the_first_word() -> None:
    text = "Nothing here. " * 30 + "A <lamp> stands. " + "Nothing there. " * 30

    found = snippet(text, forms("lamp"), forms)
    assert found is not None
    assert "A &lt;<em>lamp</em>&gt; stands." in found
    assert len(found) < 200
    assert (found[0], found[-1]) == ("\u2026", "\u2026")
    assert snippet(text, forms("chair"), forms) is None
    assert snippet("A lamp", forms("lamp"), forms) == "A <em>lamp</em>"


def card(name: str) -> str:
    return orjson.dumps({"productId": name, "sponsored": False}).decode()


def test_paid_places_are_labelled_and_a_product_is_there_once() -> None:
    ids = ["a", "b", "c", "d"]
    hits = [card(one) for one in ids]

    shown = [orjson.loads(one) for one in placed(ids, hits, [Slot(2, "x", card("x")), Slot(0, "c", card("c"))])]

    assert [(one["productId"], one["sponsored"]) for one in shown] == [
        ("c", True), ("a", False), ("x", True), ("b", False),
    ]  # fmt: skip
    assert placed(ids, hits, []) == hits
    assert [orjson.loads(one)["productId"] for one in placed([], [], [Slot(5, "x", card("x"))])] == ["x"]
