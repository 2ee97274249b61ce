"""Words near one that the catalog does not have: surface forms of the catalog alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.search.suggestions.edits import edits, unlikely
from tests.harness.suggesting import Suggested, product, titled

TITLES = (
    "Monitor arm", "Running shoes", "Original print", "Origin story", "Softshell jacket", "Soft wool", "Woven rug",
    "Taschenlampe", "Geburtstagskarte", "Karte", "Lampe", "Handtasche", "Tasche", "Café cups",
)  # fmt: skip


@pytest.fixture(scope="module")
def suggested(tmp_path_factory: pytest.TempPathFactory) -> Suggested:
    return Suggested(tmp_path_factory.mktemp("generation"), titled(*TITLES))


@pytest.mark.parametrize(
    ("typed", "best"),
    [
        ("moniter", "monitor"), ("rnning", "running"), ("orignal", "original"), ("xonitor", "monitor"),
        ("omnitor", "monitor"), ("runnign", "running"), ("runing", "running"), ("orijinel", "original"),
        ("caffe", "cafe"),
    ],
)  # fmt: skip
def test_the_best_is_a_word_as_it_is_written(suggested: Suggested, typed: str, best: str) -> None:
    assert suggested.near(typed)[:1] == [best]


@pytest.mark.parametrize("typed", ["a", "xm4", "wh1000xm4", "tk675", "", "m0nitor", "zzzzzz", "x" * 300, ".*", "(("])
def test_what_is_near_nothing_is_not_corrected(suggested: Suggested, typed: str) -> None:
    assert suggested.near(typed) == []


def test_a_word_that_people_use_is_no_error(tmp_path: Path) -> None:
    suggested = Suggested(tmp_path, titled("Soft wool", "Woven rug", "Self portrait"))

    assert [suggested.near(word) for word in ("sofa", "women", "sell")] == [[], [], []]
    assert [suggested.near(word) for word in ("sfot", "wovne", "selff")] == [["soft"], ["woven"], ["self"]]


def test_a_word_that_no_product_has_any_more_is_near_none(tmp_path: Path) -> None:
    suggested = Suggested(tmp_path, titled("Monitor arm"))
    assert suggested.near("monitr") == ["monitor"]

    suggested.change(replace(product(1, "Monitor arm"), live=False))
    assert suggested.near("monitr") == []
    suggested.change(product(2, "Tall monitor"))
    assert suggested.near("monitr") == ["monitor"]


def test_the_frequent_one_goes_before_and_a_likely_error_counts(tmp_path: Path) -> None:
    suggested = Suggested(tmp_path, titled("Steel bowl", "Steel mug", "Steel pan", "Steed toy", "Steep hat"))

    assert suggested.near("steek", 2) == ["steel", "steed"]
    assert suggested.near("steek") == ["steel", "steed", "steep"]


def test_compounds_are_those_with_a_known_rest_first(suggested: Suggested) -> None:
    assert suggested.containing("karte") == ["geburtstagskarte"]
    assert suggested.containing("tasche") == ["taschenlampe", "handtasche"]
    assert suggested.containing("geburtstag") == ["geburtstagskarte"]
    assert suggested.containing("geburt") == ["geburtstagskarte"]
    assert suggested.containing("kar") == []  # the rest is none
    assert suggested.containing("urtstag") == []
    assert suggested.containing("onitor") == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("laptop", "laptop", 0), ("laptop", "latpop", 1), ("laptop", "lapto", 1), ("laptop", "laptops", 1),
        ("laptop", "lxptox", 2), ("laptop", "lap", 3), ("ab", "ba", 1), ("abc", "cba", 2), ("", "a", 1), ("", "", 0),
        ("ca", "abc", 3), ("abcd", "badc", 2), ("abcdef", "ghijkl", 3),
    ],
)  # fmt: skip
def test_edits(one: str, other: str, expected: int) -> None:
    assert edits(one, other, 2) == edits(other, one, 2) == expected


def test_an_error_is_likely_by_keyboard_and_sound() -> None:
    assert unlikely("moniter", "monitor") == unlikely("lampp", "lamp") == unlikely("lmap", "lamp") == 0
    assert unlikely("lqmp", "lamp") == 0  # q is above a
    assert unlikely("lxmp", "lamp") == 1
    assert unlikely("xamp", "lamp") == 4
    assert unlikely("amp", "lamp") == 3
    assert unlikely("alpm", "lamp") == 3
    assert unlikely("almp", "lamp") == 0
