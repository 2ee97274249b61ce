"""Price ranges and rating steps."""

from decimal import Decimal

from api.catalog.facets import PRICE_EDGES, RATING_STEPS, price_buckets, price_range_label
from api.catalog.queries.counting import price_ranges


def test_edges_and_steps_are_ordered() -> None:
    assert list(PRICE_EDGES) == sorted(set(PRICE_EDGES))
    assert list(RATING_STEPS) == sorted(set(RATING_STEPS), reverse=True)


def test_the_first_range_starts_at_nothing_and_the_last_is_open() -> None:
    assert price_range_label(0) == "0-10"
    assert price_range_label(len(PRICE_EDGES)) == "1000-"


def test_a_price_on_an_edge_is_in_both_ranges_as_it_is_in_both_filters() -> None:
    assert price_buckets([Decimal("9.99")]) == [0]
    assert price_buckets([Decimal(10)]) == [0, 1]
    assert price_buckets([Decimal(1000), Decimal(5), Decimal("10.01")]) == [0, 1, 6, 7]
    assert price_buckets([]) == []


def test_ranges_come_cheapest_first_and_without_empty_ones() -> None:
    found = price_ranges({7: 1, 0: 12, 2: 5})
    assert [(one.range, one.count) for one in found] == [("0-10", 12), ("25-50", 5), ("1000-", 1)]
    assert price_ranges({}) == []
