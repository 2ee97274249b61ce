"""Who gets units that came: the first parcel of the queue whose lines are all there, and nobody what is another's."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from api.orders.backorders.queue import Place, Waiting, ready

NORTH, CUP, JUG = UUID(int=1), UUID(int=11), UUID(int=12)


def queue(*parcels: dict[UUID, int], unpaid: tuple[int, ...] = ()) -> list[Waiting]:
    """Parcels 1, 2, ... of as many orders, each with its units of variants in one warehouse."""
    return [
        Waiting(UUID(int=n), UUID(int=100 + n), variant, NORTH, units, len(parcel), n not in unpaid)
        for n, parcel in enumerate(parcels, 1)
        for variant, units in parcel.items()
    ]


def served(waiting: list[Waiting], **there: int) -> list[int]:
    """The numbers of the parcels that are ready when so many cups and jugs are there for the queue."""
    booked: dict[Place, int] = {}
    for name, variant in (("cups", CUP), ("jugs", JUG)):
        if name in there:
            booked[variant, NORTH] = there[name] - sum(one.units for one in waiting if one.variant_id == variant)
    found = ready([one for one in waiting if one.place in booked], booked)
    assert all(order.int == parcel.int + 100 for parcel, order in found.items())
    return [parcel.int for parcel in found]


def test_the_first_are_served_first() -> None:
    waiting = queue({CUP: 3}, {CUP: 2}, {CUP: 1})

    assert [served(waiting, cups=there) for there in range(7)] == [[], [], [], [1], [1], [1, 2], [1, 2, 3]]


def test_a_parcel_waits_for_all_of_its_lines_and_keeps_what_is_there_for_it() -> None:
    waiting = queue({CUP: 1, JUG: 1}, {CUP: 1}, {JUG: 1})

    assert served(waiting, cups=1) == []
    assert served(waiting, cups=2) == [2]
    assert served(waiting, cups=1, jugs=1) == [1]
    assert served(waiting, cups=2, jugs=2) == [1, 2, 3]


def test_what_is_not_paid_yet_keeps_its_place() -> None:
    waiting = queue({CUP: 2}, {CUP: 1}, unpaid=(1,))

    assert served(waiting, cups=2) == []
    assert served(waiting, cups=3) == [2]


@given(st.lists(st.dictionaries(st.sampled_from([CUP, JUG]), st.integers(1, 4), min_size=1), max_size=8), st.data())
def test_no_more_is_given_than_there_is(parcels: list[dict[UUID, int]], data: st.DataObject) -> None:
    cups, jugs = (data.draw(st.integers(0, 12)) for _ in range(2))
    given_out = [parcels[n - 1] for n in served(queue(*parcels), cups=cups, jugs=jugs)]

    assert sum(parcel.get(CUP, 0) for parcel in given_out) <= cups
    assert sum(parcel.get(JUG, 0) for parcel in given_out) <= jugs
