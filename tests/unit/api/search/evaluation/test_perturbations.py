"""Queries with errors: each kind on small queries, and the same ones in every run."""

import pytest

from api.search.evaluation.perturbations import KINDS, draw, one_error, perturbed, plural_or_singular
from api.search.evaluation.probes import joined_pairs, known_words, one_error_words

QUERY = "red garden hose 20"


def edits(one: str, other: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours that turn one text into the other."""
    rows = [[max(i, j) if not min(i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            same = one[i - 1] == other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (not same))
            if min(i, j) > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("the", {"the red garden hose 20"}),
        ("for sale", {"red garden hose 20 for sale"}),
        ("joined", {"redgarden hose 20", "red gardenhose 20", "red garden hose20"}),
        ("all joined", {"redgardenhose20"}),
        ("split", {"red gar den hose 20"}),
        ("case", {"RED GARDEN HOSE 20"}),
        ("accents", {"réd gárden hóse 20"}),
    ],
)
def test_each_kind_changes_a_query_in_its_way(kind: str, expected: set[str]) -> None:
    found = {perturbed(kind, QUERY, str(key), 1) for key in range(50)}

    assert found == expected


@pytest.mark.parametrize(("kind", "number"), [("one typo", 1), ("two typos", 2)])
def test_typos_are_so_many_edits_of_words_of_letters(kind: str, number: int) -> None:
    for key in range(200):
        typed = perturbed(kind, QUERY, str(key), 1)
        assert typed is not None
        assert edits(QUERY, typed) == number
        assert typed.startswith("red ")
        assert typed.endswith(" 20")


def test_two_typos_of_a_single_word_are_both_in_it() -> None:
    typed = [perturbed("two typos", "headphones", str(key), 1) for key in range(100)]

    # The second may undo a part of the first, or all of it: then it is left out.
    assert {edits("headphones", query) for query in typed if query is not None} == {1, 2}


@pytest.mark.parametrize(
    ("kind", "query"),
    [("joined", "hose"), ("one typo", "usb 20 a4"), ("split", "hose"), ("plural", "iphone 15"), ("accents", "bcd")],
)
def test_a_kind_that_means_nothing_for_a_query_is_left_out(kind: str, query: str) -> None:
    assert perturbed(kind, query, "1", 1) is None


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("hose", "hoses"),
        ("brush", "brushes"),
        ("glass", "glasses"),
        ("box", "boxes"),
        ("battery", "batteries"),
        ("key", "keys"),
    ],
)
def test_the_other_number_of_a_noun(one: str, many: str) -> None:
    assert (plural_or_singular(one), plural_or_singular(many)) == (many, one)


def test_the_same_seed_draws_the_same_and_another_draws_others() -> None:
    queries = [f"garden hose {word}" for word in ("reel", "holder", "pipe", "nozzle")]
    drawn = [[perturbed(kind, query, "7", seed) for kind in KINDS for query in queries] for seed in (1, 1, 2)]

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_one_error_is_another_word() -> None:
    chance = draw(1, "letters")

    assert all(edits("aaaa", one_error("aaaa", chance)) == 1 for _ in range(200))


TITLES = {"1": "Garden hose reel", "2": "Garden-shed, oak", "3": "Nose"}


def test_probes_are_made_of_titles_and_are_no_words_of_others() -> None:
    wrong = one_error_words(TITLES, 100, 1, str.split)
    joined = joined_pairs(TITLES, 100, 1, str.split)
    words = known_words({**TITLES, "4": "Oak garden table, 20 cm"}, 100, 1)

    # By alphabet: garden, hose, nose, reel, shed.
    assert [
        edits(word, probe.query) for word, probe in zip(("garden", "hose", "nose", "reel", "shed"), wrong, strict=True)
    ] == [1] * 5
    assert "nose" not in {probe.query for probe in wrong}
    assert wrong[1].finds("garden hose")
    assert not wrong[1].finds("garden shed")
    assert [probe.query for probe in joined] == ["gardenhose", "hosereel"]
    assert joined[0].finds("hose of a garden")
    assert not joined[0].finds("garden reel")
    assert len(words) == 1
    assert set(words[0].query.split()) < {"oak", "garden", "table", "cm"}
