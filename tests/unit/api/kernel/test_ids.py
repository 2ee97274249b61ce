"""Identifiers: what they look like and what they give away."""

import re
import uuid

import pytest

from api.kernel.ids import new_id, new_order_number, parse_id


def test_ids_are_uuids_of_version_seven_and_rise_within_a_process() -> None:
    made = [new_id() for _ in range(1_000)]

    assert {one.version for one in made} == {7}
    assert sorted(made) == made
    assert len(set(made)) == 1_000


def test_order_numbers_look_like_the_seeds_and_follow_no_order() -> None:
    made = [new_order_number() for _ in range(1_000)]

    assert all(re.fullmatch(r"112-\d{7}-\d{7}", number) for number in made)
    assert len(set(made)) == 1_000
    assert sorted(made) != made


@pytest.mark.parametrize("text", ["", "abc", "1", "0" * 90, "01890000-0000-7000-8000-00000000000g"])
def test_text_that_is_no_id_is_none(text: str) -> None:
    assert parse_id(text) is None


def test_an_id_is_read_from_its_text() -> None:
    one = new_id()

    assert parse_id(str(one)) == one
    assert parse_id(str(one).upper()) == one
    assert isinstance(parse_id(str(one)), uuid.UUID)
