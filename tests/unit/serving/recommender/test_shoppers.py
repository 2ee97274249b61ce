"""How the online row and the bundle's history become one."""

from features.online import UserRow
from serving.recommender.shoppers import join, newer_on_top

UNKNOWN = {"user__orders_total": 0.0, "user__days_since_last_order": 100.0}


def test_what_the_bundle_does_not_know_came_after_it() -> None:
    assert newer_on_top((["a", "b"], [1, 0]), ["a", "b", "c", "c"], orders=3) == (("a", "b", "c"), (2, 1, 0))


def test_an_unchanged_history_keeps_the_bundles_ages() -> None:
    assert newer_on_top((["a", "b"], [1, 0]), ["a", "b"], orders=2) == (("a", "b"), (1, 0))


def test_lines_of_a_shopper_the_bundle_never_met_are_spread_over_the_orders() -> None:
    products, ages = newer_on_top(((), ()), ["a", "b", "a", "c", "d", "e"], orders=3)

    assert products == ("b", "a", "c", "d", "e")
    assert ages == (2, 1, 1, 0, 0)


def test_a_shopper_without_a_row_has_the_values_of_an_unknown_one_and_no_history() -> None:
    shopper = join(UNKNOWN, None, ((), ()))

    assert shopper.values == UNKNOWN
    assert (shopper.bought, shopper.sequence, shopper.ages) == ((), (), ())


def test_everything_anybody_knows_was_bought_is_bought() -> None:
    row = UserRow({"user__orders_total": 2.0}, sequence=("c",), bought=("b",), stale=False)

    shopper = join(UNKNOWN, row, (["a"], [0]))

    assert shopper.bought == ("a", "b", "c")
    assert shopper.values == {"user__orders_total": 2.0}
    assert shopper.sequence == ("a", "c")
