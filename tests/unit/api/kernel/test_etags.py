"""Entity tags of products and carts."""

import pytest

from api.kernel.etags import etag_of, expected_version, matches


def test_a_tag_names_version_and_content() -> None:
    assert etag_of(3, b"a") == etag_of(3, b"a")
    assert len({etag_of(3, b"a"), etag_of(4, b"a"), etag_of(3, b"b")}) == 3


def test_if_match_looks_at_the_version_alone() -> None:
    assert expected_version(etag_of(12, b"before the sale")) == expected_version(etag_of(12, b"after it")) == 12
    assert expected_version(f" W/{etag_of(5, b'')} ") == 5


@pytest.mark.parametrize("header", ["", "7", '"7"', '"7-xyz"', '"-1-0123456789abcdef"', '"1-0123456789ABCDEF"', "W/*"])
def test_a_tag_that_is_not_ours_matches_no_version(header: str) -> None:
    assert expected_version(header) == -1


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_no_condition_is_no_condition(header: str | None) -> None:
    assert expected_version(header) is None


def test_one_tag_of_a_list_is_enough() -> None:
    tag = etag_of(1, b"x")
    assert matches(f'"a", {tag} , "b"', tag)
    assert not matches('"a", "b"', tag)
    assert not matches("", tag)
