"""No bad state of an order and its parcels is reachable: every interleaving of two sellers who send, split and cancel
their parcels, a buyer who cancels and an administrator, each of whom looks first and writes later, and a carrier that
scans and loses parcels.

A breadth-first search over a small model. Moves, the order's status and its steps are the product's own `TRANSITIONS`,
`CANCELLABLE`, `SPLITTABLE`, `order_status`, `steps_between` and `passed`; the lock of the order's row is modelled: what
an actor saw before it waited is not what it writes by. Each mutant at the end lacks one guard and must reach a bad
state.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from api.orders.parcels.changes.splitting import SPLITTABLE
from api.orders.parcels.derived import Standing, order_status, passed, steps_between
from api.orders.parcels.packing import waits_for
from api.orders.states import CANCELLABLE, TRANSITIONS, may_follow
from api.shipping.scans import CARRIAGES, steps_of

STEPS = ("processing", "shipped", "delivered")
SELLERS = ("a", "b")
# No parcel is split once there are so many.
MOST_PARCELS = 3


@dataclass(frozen=True)
class World:
    """`owners`: whose each parcel is. `order`: the stored status. `paid_back`: how often the money of each parcel went
    back. `looking`: what each actor saw and has not acted on yet, the parcels as they were. `bad`: what was done
    wrong."""

    parcels: tuple[Standing, ...]
    owners: tuple[str, ...]
    paid_back: tuple[int, ...]
    order: str = "confirmed"
    looking: tuple[tuple[str, tuple[Standing, ...]], ...] = ()
    bad: str | None = None


@dataclass(frozen=True)
class Rules:
    """What the mutants take away. `locked`: an actor decides on what it reads under the lock. `pays`: a seller who
    cancels pays the buyer back. `once`: a buyer who cancels gets nothing a second time. `together`: the buyer wants a
    seller's parcels at once; `waits`: sellers heed it. `carried`: a carrier has the parcels; `final`: one
    that was given up is given up no more, and moves no more."""

    locked: bool = True
    guarded: bool = True
    own: bool = True
    whole: bool = True
    pays: bool = True
    once: bool = True
    splittable: frozenset[str] = SPLITTABLE
    together: bool = False
    waits: bool = True
    carried: bool = False
    final: bool = True
    derive: Callable[[tuple[Standing, ...]], str] = order_status


def bad(world: World) -> str | None:
    """The sentence that is broken in this state, if any."""
    if world.bad is not None:
        return world.bad
    if world.order != order_status(world.parcels):
        return "the order is not where its parcels are"
    for parcel, times in zip(world.parcels, world.paid_back, strict=True):
        if times > 1:
            return "a parcel is paid back twice"
        if times and parcel.status in {"shipped", "delivered"} and not parcel.lost:
            return "a parcel is paid back and on its way"
        if (times == 1) != (parcel.status == "cancelled" or parcel.lost):
            return "a cancelled or lost parcel is not paid back"
        if parcel.lost and parcel.status != "shipped":
            return "a parcel that was given up moved"
    return None


def moved(parcel: Standing, status: str) -> Standing:
    return Standing(status, parcel.begun or status == "processing", parcel.lost)


def written(world: World, seen: tuple[Standing, ...], places: tuple[int, ...], status: str, rules: Rules) -> World:
    """The commit of a move of the parcels at `places`, decided on what was `seen`."""
    if rules.guarded and any(world.parcels[place].status != seen[place].status for place in places):
        return world  # the statement's WHERE finds no such row
    for place in places:
        if not may_follow(world.parcels[place].status, status):
            return replace(world, bad="a parcel made a step that the state machine lacks")
    parcels = tuple(moved(parcel, status) if place in places else parcel for place, parcel in enumerate(world.parcels))
    known = tuple(moved(parcel, status) if place in places else parcel for place, parcel in enumerate(seen))
    order = rules.derive(known)
    try:
        steps_between(world.order, order)
    except ValueError:
        return replace(world, bad="an order made a step that the state machine lacks")
    return replace(world, parcels=parcels, order=order)


def paid(world: World, before: World, places: tuple[int, ...]) -> World:
    """The money of the parcels at `places` goes back in the same commit; no commit, no money."""
    if world == before:
        return world
    back = tuple(times + (place in places) for place, times in enumerate(world.paid_back))
    return replace(world, paid_back=back)


def split(world: World, seen: tuple[Standing, ...], place: int, rules: Rules) -> World:
    """A part of the parcel goes into a new one, which is copied from the row as it is now."""
    if seen[place].status not in rules.splittable:
        return world
    parcel = world.parcels[place]
    bad = None if parcel.status in SPLITTABLE else "a parcel that is not there any more was split"
    return replace(
        world,
        parcels=(*world.parcels, parcel),
        owners=(*world.owners, world.owners[place]),
        paid_back=(*world.paid_back, world.paid_back[place]),
        bad=bad,
    )


def kept_waiting(owners: tuple[str, ...], who: str, parcels: tuple[Standing, ...], rules: Rules) -> bool:
    ids = {owner: UUID(int=place) for place, owner in enumerate(SELLERS)}
    preference = "together" if rules.together else "as_ready"
    everyone = [(place, ids[owners[place]], parcel.status) for place, parcel in enumerate(parcels)]
    return bool(waits_for(preference, ids[who], everyone))


def acts(world: World, who: str, seen: tuple[Standing, ...], rules: Rules) -> Iterator[World]:
    """What `who` may do, having seen this."""
    if who in SELLERS:
        for place, parcel in enumerate(seen):
            for status in STEPS:
                if parcel.lost and rules.final:
                    continue
                if (world.owners[place] == who or not rules.own) and may_follow(parcel.status, status):
                    if status == "shipped" and rules.waits and kept_waiting(world.owners, who, seen, rules):
                        continue
                    after = written(world, seen, (place,), status, rules)
                    if status == "shipped" and after != world and kept_waiting(world.owners, who, world.parcels, rules):
                        after = replace(after, bad="a parcel left while another was not begun")
                    yield after if world.owners[place] == who else replace(after, bad="somebody else's parcel moved")
            if world.owners[place] == who and parcel.status in CANCELLABLE:
                after = written(world, seen, (place,), "cancelled", rules)
                yield paid(after, world, (place,)) if rules.pays else after
            if world.owners[place] == who and len(world.parcels) < MOST_PARCELS:
                yield split(world, seen, place, rules)
    elif who == "admin":
        for status in STEPS:
            left = [place for place, parcel in enumerate(seen) if parcel.counts or not rules.final]
            behind = tuple(place for place in left if not passed(seen[place].status, status))
            if behind and all(may_follow(seen[place].status, status) for place in behind):
                yield written(world, seen, behind, status, rules)
    else:
        living = tuple(place for place, parcel in enumerate(seen) if parcel.status != "cancelled")
        free = [place for place in living if seen[place].status in CANCELLABLE]
        if living and (len(free) == len(living) or (free and not rules.whole)):
            after = written(world, seen, tuple(free), "cancelled", rules)
            # All that is left of the money goes back, whatever it was for.
            yield paid(after, world, living if rules.once else tuple(range(len(seen))))


def carried(world: World, rules: Rules) -> Iterator[World]:
    """What each word of the carrier makes of a parcel, one commit for all of its steps, under the order's lock."""
    for place, parcel in enumerate(world.parcels):
        if parcel.lost and rules.final:
            continue
        for carriage in CARRIAGES:
            after = world
            for status in steps_of(parcel.status, carriage):
                after = written(after, after.parcels, (place,), status, rules)
            if carriage == "lost" and after.parcels[place].status == "shipped":
                after = given_up(after, place, rules)
            yield after


def given_up(world: World, place: int, rules: Rules) -> World:
    parcels = tuple(replace(one, lost=True) if at == place else one for at, one in enumerate(world.parcels))
    order = rules.derive(parcels)
    try:
        steps_between(world.order, order)
    except ValueError:
        return replace(world, bad="an order made a step that the state machine lacks")
    back = tuple(times + (at == place) for at, times in enumerate(world.paid_back))
    return replace(world, parcels=parcels, order=order, paid_back=back)


def moves(world: World, rules: Rules) -> Iterator[World]:
    """Every state that one more thing happening leads to: an actor looks, or acts on what it saw."""
    looking = dict(world.looking)
    if rules.carried:
        yield from carried(world, rules)
    for who in (*SELLERS, "admin", "buyer"):
        if who not in looking:
            yield replace(world, looking=tuple(sorted({**looking, who: world.parcels}.items())))
            continue
        # Under the lock it reads again what is there now.
        seen = world.parcels if rules.locked else looking[who]
        done = replace(world, looking=tuple((name, saw) for name, saw in world.looking if name != who))
        yield done
        yield from acts(done, who, seen, rules)


def explore(rules: Rules, *owners: str, until: str | None = None) -> tuple[set[World], list[str]]:
    """Every state that is reachable from a confirmed order, and the broken ones in words; no further once it is `until`
    that is broken."""
    start = World((Standing("confirmed"),) * len(owners), owners, (0,) * len(owners))
    found, queue, broken = {start}, deque([start]), []
    while queue:
        world = queue.popleft()
        sentence = bad(world)
        if sentence is not None:
            broken.append(sentence)
            if sentence == until:
                break
            continue
        for state in moves(world, rules):
            # What was seen matters only where it is used.
            kept = state if not rules.locked else replace(state, looking=tuple((who, ()) for who, _ in state.looking))
            if kept not in found:
                found.add(kept)
                queue.append(kept)
    return found, broken


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("owners", [("a",), ("a", "b"), ("a", "a", "b")])
def test_no_bad_state_is_reachable(owners: tuple[str, ...], together: bool) -> None:
    found, broken = explore(Rules(together=together), *owners)

    assert broken == []
    assert {world.order for world in found} == {"confirmed", *STEPS, "cancelled"}
    ends = [world for world in found if {parcel.status for parcel in world.parcels} <= {"delivered", "cancelled"}]
    assert {world.order for world in ends} == {"delivered", "cancelled"}
    assert {parcel.status for world in found for parcel in world.parcels} <= set(TRANSITIONS)


def test_no_bad_state_is_reachable_when_carriers_scan_and_lose_parcels() -> None:
    found, broken = explore(Rules(carried=True), "a", "b")

    assert broken == []
    gone = [world for world in found if not any(parcel.counts for parcel in world.parcels)]
    assert {world.order for world in gone} == {"shipped", "cancelled"}
    assert any(world.order == "delivered" and any(parcel.lost for parcel in world.parcels) for world in found)


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (Rules(locked=False), "the order is not where its parcels are"),
        (Rules(locked=False, guarded=False), "a parcel made a step that the state machine lacks"),
        (Rules(own=False), "somebody else's parcel moved"),
        (Rules(whole=False), "a parcel is paid back and on its way"),
        (Rules(pays=False), "a cancelled or lost parcel is not paid back"),
        (Rules(carried=True, final=False), "a parcel is paid back twice"),
        (Rules(carried=True, final=False), "a parcel that was given up moved"),
        (Rules(once=False), "a parcel is paid back twice"),
        (Rules(splittable=SPLITTABLE | {"shipped"}), "a parcel that is not there any more was split"),
        (Rules(locked=False, guarded=False), "a parcel that is not there any more was split"),
        (Rules(derive=lambda parcels: order_status(parcels[:1])), "the order is not where its parcels are"),
    ],
    ids=[
        "no lock",
        "neither lock nor guard",
        "anybody's parcel",
        "a part is cancelled",
        "nothing is paid",
        "lost twice",
        "lost and moved",
        "all is paid",
        "what was sent is split",
        "split by an old look",
        "one parcel speaks for all",
    ],
)
def test_each_guard_taken_away_is_missed(rules: Rules, sentence: str) -> None:
    assert sentence in explore(rules, "a", "b", until=sentence)[1]


def test_a_seller_who_does_not_wait_is_missed() -> None:
    assert set(explore(Rules(together=True, waits=False), "a", "a")[1]) == {"a parcel left while another was not begun"}
