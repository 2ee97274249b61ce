"""Which votes are a brigade's, and which are only many."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from api.reviews.votes.brigades import FEWEST, LINKED, YOUNG, Vote, brigade

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def votes(
    count: int,
    first: int = 0,
    *,
    helpful: bool = True,
    age: timedelta = timedelta(days=400),
    address: str | None = None,
) -> list[Vote]:
    """From accounts of that age when they vote."""
    return [Vote(UUID(int=first + n), helpful, address, f"device {first + n}", NOW, NOW - age) for n in range(count)]


def test_new_accounts_on_one_side_are_a_brigade_and_old_voters_of_that_side_are_not() -> None:
    young, old = votes(FEWEST, age=YOUNG - timedelta(seconds=1)), votes(2, 100)

    assert brigade([*young, *old]) == {one.user_id for one in young}
    assert brigade(votes(FEWEST, age=YOUNG)) == set()
    assert brigade(young[1:]) == set()


def test_accounts_of_one_address_are_linked_and_a_household_is_not() -> None:
    linked = [*votes(LINKED, address="a"), *votes(LINKED, 10, address="b")]
    households = [one for n in range(FEWEST) for one in votes(LINKED - 1, 10 * n, address=f"home {n}")]

    assert brigade(linked) == {one.user_id for one in linked}
    assert brigade(households) == set()


def test_a_few_suspects_among_many_voters_stay_and_so_does_the_other_side() -> None:
    young, crowd, against = votes(FEWEST, age=timedelta(0)), votes(20, 100), votes(3, 200, helpful=False)

    assert brigade([*young, *crowd]) == set()
    assert brigade([*young, *against]) == {one.user_id for one in young}
