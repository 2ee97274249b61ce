"""One code however it is typed, and nothing else."""

import pytest

from api.promotions.codes import joined, normalised, split


@pytest.mark.parametrize("typed", ["SUMMER-10", "summer-10", "  Summer-10 ", "ＳＵＭＭＥＲ-１０", "ſummer-10"])
def test_a_code_is_one_however_it_is_typed(typed: str) -> None:
    assert normalised(typed) == "SUMMER-10"


@pytest.mark.parametrize(
    "typed", ["", "AB", "-ABC", "A B C", "A" * 41, "ABC\x00", "АВС10", "ABC;10", "ABC\u202e10", "É10"]
)
def test_what_no_code_is_written_like_is_none(typed: str) -> None:
    assert normalised(typed) is None


def test_codes_are_kept_in_one_column() -> None:
    assert split(joined(["ABC", "D-1"])) == ["ABC", "D-1"]
    assert (joined([]), split(None)) == (None, [])
