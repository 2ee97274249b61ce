"""Filters, corrections and tags as plain functions."""

import unicodedata
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.catalog.brands.keys import key_of
from api.catalog.facets import PRICE_EDGES, price_range_label
from api.kernel.etags import etag_of, expected_version, matches
from api.search.errors import BadFilter
from api.search.filters import Filters, Span, parse_filters, written


def test_filters_are_read_whole() -> None:
    filters = parse_filters(
        'brand:Dell, brand:"Bolt, Inc.",price:500-1000,rating:4-,prime:true,inStock:FALSE,category:A > B,attr.color:Red'
    )

    assert filters.brands == ["Dell", "Bolt, Inc."]
    assert filters.categories == ["A > B"]
    assert filters.prices == [Span(Decimal(500), Decimal(1000))]
    assert filters.ratings == [Span(Decimal(4), None)]
    assert filters.attributes == {"color": ["Red"]}
    assert (filters.prime, filters.in_stock) == (True, False)


def test_a_double_quote_is_doubled_in_quotes_and_itself_outside() -> None:
    filters = parse_filters('attr.size:"24"" wide", attr.size:24", attr.size:"""",brand:A"B')

    assert filters.attributes == {"size": ['24" wide', '24"', '"']}
    assert filters.brands == ['A"B']


_VALUE = st.text(min_size=1).map(str.strip).filter(bool)


@given(st.lists(_VALUE, min_size=1, max_size=5), _VALUE)
def test_what_is_written_is_read(values: list[str], brand: str) -> None:
    """Whatever characters it has."""
    parts = [written("attr.size", value) for value in values] + [written("brand", brand)]

    assert parse_filters(",".join(parts)) == Filters(attributes={"size": values}, brands=[brand])


@given(st.text())
def test_a_key_is_its_own_key_and_that_of_each_form(text: str) -> None:
    key = key_of(text)

    assert key_of(key) == key
    forms: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
    assert {key_of(unicodedata.normalize(form, text)) for form in forms} == {key}


@pytest.mark.parametrize("text", [None, "", "brand:Dell,"])
def test_nothing_and_a_trailing_comma_are_fine(text: str | None) -> None:
    assert parse_filters(text).prices == []


@pytest.mark.parametrize(
    "text", [",", "a", ":", "price:1-2-3", "price:Infinity", 'brand:"a"b', "attr.:x", "price:1,,price:2"]
)
def test_what_means_nothing_is_named(text: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parse_filters(text)

    assert refused.value.errors is not None
    assert refused.value.errors[0].pointer == "/query/filters"


def test_price_ranges_touch_without_gaps() -> None:
    labels = [price_range_label(bucket) for bucket in range(len(PRICE_EDGES) + 1)]

    assert labels == ["0-10", "10-25", "25-50", "50-100", "100-250", "250-500", "500-1000", "1000-"]


def test_tags_compare_whole_for_reads_and_by_version_for_writes() -> None:
    tag = etag_of(7, b"body")

    assert matches(tag, tag)
    assert matches(f'"x", W/{tag}', tag)
    assert matches("*", tag)
    assert not matches(etag_of(7, b"other"), tag)
    assert not matches(None, tag)
    assert expected_version(tag) == 7
    assert expected_version(None) is None
    assert expected_version("*") is None
    assert expected_version('"7"') == -1
