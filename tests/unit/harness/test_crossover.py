"""Where the curves of two engines meet, on logarithmic scales."""

import pytest

from tests.benchmarks.spark import crossover


def test_between_the_sizes_where_the_order_changes() -> None:
    assert crossover([(100, 1.0, 9.0), (1_000, 1.0, 4.0), (100_000, 4.0, 1.0)]) == pytest.approx(10_000)


def test_at_a_size_where_both_are_equal_and_at_the_first_one() -> None:
    assert crossover([(100, 1.0, 2.0), (1_000, 3.0, 3.0)]) == pytest.approx(1_000)
    assert crossover([(100, 2.0, 1.0), (1_000, 3.0, 1.0)]) == 100


def test_none_where_spark_always_needs_more() -> None:
    assert crossover([(100, 1.0, 17.0), (1_000, 2.0, 16.0)]) is None
