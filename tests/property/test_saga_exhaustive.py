"""The checkout saga has no bad reachable state: every interleaving of two requests with one key, or with two keys for
one cart, two drivers, lost answers, pauses and a reservation that expired.

A breadth-first search over a small model of the world. The drivers use the product's own `saga.step`, `TASK` and
`TERMINAL`; the database's gate (lease token and point), the claims of the key and of the cart, the check of the
reservations and the gateway (same key, same answer; a void without an authorisation forbids a later one) are modelled.
R-P3 at the size that one checkout can have. Each mutant at the end lacks one guard and must reach a bad state.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from api.checkout.saga import transitions as saga
from api.checkout.saga.transitions import OLD_POINTS, RECOVERY_POINTS, TASK, TERMINAL, Outcome, Task, Transition, Write

FAULTS = 4


@dataclass(frozen=True)
class Gateway:
    """Per checkout: at most one authorisation under the derived key. `keys` counts captures under different keys, for
    the mutant."""

    authorised: bool = False
    declined: bool = False
    voided: bool = False
    captures: int = 0


@dataclass(frozen=True)
class Driver:
    """`lease`: opening (a request that found its key free), none, the current one, or one that another driver's has
    replaced without its knowing; `point` where it believes the checkout is; `answer` what the gateway or the check of
    the reservations told it, not yet committed."""

    lease: str = "none"
    point: str = ""
    answer: Outcome | None = None


@dataclass(frozen=True)
class World:
    """`point` none: there is no checkout. `opened`: how many checkouts were stored under the key, or of the cart while
    an earlier one of it was not undone. `keys`: whether the two requests have one key, or each its own. `cart`: full,
    claimed by the checkout, or taken by its order. `coupon`: free, redeemed, or released once too often."""

    point: str = "none"
    order: str = "none"
    payment: str = "none"
    stock: str = "free"
    replied: str = "none"
    opened: int = 0
    gateway: Gateway = field(default_factory=Gateway)
    drivers: tuple[Driver, ...] = (Driver("opening"), Driver("opening"))
    faults: int = FAULTS
    keys: str = "one"
    cart: str = "full"
    coupon: str = "free"


# What an earlier version of the shop may have left at each of its points; its process is dead.
LEFT = tuple(
    replace(world, opened=1, drivers=(Driver(), Driver()))
    for world in (
        World("started"),
        World("reserved", stock="held"),
        World("authorised", "pending", "authorised", "held", gateway=Gateway(authorised=True), coupon="redeemed"),
        World(
            "captured", "confirmed", "captured", "sold", gateway=Gateway(authorised=True, captures=1), coupon="redeemed"
        ),
    )
)


@dataclass(frozen=True)
class Rules:
    """What the mutants take away."""

    claimed: bool = True
    cart_claimed: bool = True
    reserved: bool = True
    fenced: bool = True
    tombstone: bool = True
    derived_key: bool = True
    step: Callable[[str, Outcome], Transition] = saga.step


def bad(world: World) -> str | None:
    """The sentence that is broken in this state, if any."""
    gateway = world.gateway
    if world.opened > 1:
        return "two checkouts under one key" if world.keys == "one" else "two checkouts of one cart"
    if gateway.captures > 1:
        return "charged twice"
    if gateway.captures and world.order == "cancelled":
        return "charged for a cancelled order"
    if world.order == "confirmed" and world.stock != "sold":
        return "confirmed without its stock"
    if world.order == "cancelled" and world.stock in {"held", "sold"}:
        return "cancelled but stock is not free"
    if world.order in {"pending", "confirmed"} and world.coupon != "redeemed":
        return "ordered without what it redeemed"
    if world.order == "cancelled" and world.coupon != "free":
        return "cancelled but its code is not free"
    if gateway.captures and world.point == "completed" and world.cart != "taken":
        return "paid but still in the cart"
    if world.order == "cancelled" and world.cart != "full":
        return "cancelled but not back in the cart"
    if world.point not in TERMINAL:
        return None
    if world.cart == "claimed":
        return "finished but the cart is claimed"
    if world.point == "completed" and not (
        gateway.captures == 1 and world.order == "confirmed" and world.payment == "captured"
    ):
        return "completed without exactly one capture of a confirmed order"
    if world.point == "failed" and (gateway.captures or world.order == "confirmed" or world.stock in {"held", "sold"}):
        return "failed but something is kept"
    if world.point == "failed" and gateway.authorised and not gateway.voided:
        return "failed but money is held"
    if world.replied == "none":
        return "finished without an answer"
    return None


def apply(world: World, writes: tuple[Write, ...], point: str) -> World:
    """The commit's effects on the tables."""
    changes: dict[str, str] = {"point": point}
    for write in writes:
        match write:
            case Write.CONFIRM_STOCK:
                changes["stock"] = "sold" if world.stock == "held" else world.stock
            case Write.RELEASE_STOCK | Write.RESTOCK:
                changes["stock"] = "free"
            case Write.RELEASE_COUPONS:
                changes["coupon"] = "free" if world.coupon == "redeemed" else "released twice"
            case Write.CONFIRM_ORDER:
                changes["order"] = "confirmed"
            case Write.CANCEL_ORDER | Write.CANCEL_CONFIRMED_ORDER:
                changes["order"] = "cancelled"
            case Write.RECORD_AUTHORISATION:
                changes["payment"] = "authorised"
            case Write.RECORD_CAPTURE:
                changes["payment"] = "captured"
            case Write.RECORD_DECLINE:
                changes["payment"] = "declined"
            case Write.RECORD_VOID:
                changes["payment"] = "voided"
            case Write.TAKE_CART:
                changes["cart"] = "taken"
            case Write.RELEASE_CART:
                changes["cart"] = "full"
            case Write.ANSWER_SUCCESS:
                changes["replied"] = "success"
            case Write.ANSWER_FAILURE:
                changes["replied"] = "failure"
    return replace(world, **changes)  # type: ignore[arg-type]  # every value is the str that its field holds


def opened(world: World) -> World:
    """The commit that stores a checkout: its stock, its claim, its order and its payment with it."""
    if world.opened and world.cart == "full" and world.keys == "two":
        # The earlier one has let the cart go, and what is left of it touches nothing of this one: it is not followed.
        drivers = tuple(driver if driver.lease == "opening" else Driver() for driver in world.drivers)
        world = World(keys=world.keys, drivers=drivers, faults=world.faults)
    new = {"point": "created", "order": "pending", "payment": "pending", "stock": "held", "cart": "claimed"}
    new["coupon"] = "redeemed"
    return replace(world, opened=world.opened + 1, **new)  # type: ignore[arg-type]  # every value is the str of its field


def may_open(world: World, rules: Rules) -> bool:
    """Whether the commit that stores a checkout stores this one: its key is new, or the cart is nobody's and full."""
    if world.keys == "one":
        return world.point == "none" or not rules.claimed
    return world.cart == "full" or not rules.cart_claimed


def ask(gateway: Gateway, task: Task, rules: Rules) -> Iterator[tuple[Gateway, Outcome]]:
    """What the gateway may have done, and what it then answers."""
    if task is Task.AUTHORISE:
        if gateway.authorised:
            yield gateway, Outcome.AUTHORISED
        elif gateway.declined or (gateway.voided and rules.tombstone):
            yield replace(gateway, declined=True), Outcome.DECLINED
        else:
            yield replace(gateway, authorised=True, voided=False), Outcome.AUTHORISED
            yield replace(gateway, declined=True), Outcome.DECLINED
    elif task is Task.CAPTURE:
        if gateway.voided or not gateway.authorised:
            yield gateway, Outcome.REFUSED
        elif gateway.captures and rules.derived_key:
            yield gateway, Outcome.CAPTURED
        else:
            yield replace(gateway, captures=gateway.captures + 1), Outcome.CAPTURED
    elif not gateway.captures:
        yield replace(gateway, voided=True), Outcome.VOIDED


def moves(world: World, rules: Rules) -> Iterator[World]:
    """Every state that one more thing happening leads to."""
    if world.stock == "held":
        yield replace(world, stock="expired")
    for index, driver in enumerate(world.drivers):

        def with_driver(changed: Driver, state: World = world, index: int = index) -> World:
            return replace(state, drivers=tuple(changed if n == index else d for n, d in enumerate(state.drivers)))

        if driver.lease == "none":
            # The lease ran out, because the other one is slow or dead: take over from the committed point.
            if world.point not in TERMINAL and world.point != "none":
                others = tuple(replace(d, lease="stale") if d.lease == "current" else d for d in world.drivers)
                yield with_driver(Driver("current", world.point), replace(world, drivers=others))
            continue
        if world.faults:
            yield replace(with_driver(Driver()), faults=world.faults - 1)
        if driver.lease == "opening":
            if may_open(world, rules):
                yield with_driver(Driver("current", "created"), opened(world))
            else:
                yield with_driver(Driver(), world)
            continue
        if driver.point in TERMINAL:
            continue
        task = TASK[driver.point]
        if driver.answer is None and driver.point == "created":
            yield from commit(world, driver, Outcome.LATE, with_driver, rules)
        if driver.answer is None and task in {Task.AUTHORISE, Task.CAPTURE, Task.VOID}:
            for gateway, outcome in ask(world.gateway, task, rules):
                yield with_driver(replace(driver, answer=outcome), replace(world, gateway=gateway))
                if world.faults:
                    # Done, but the answer is lost; or it never arrived.
                    yield with_driver(
                        replace(driver, answer=Outcome.UNREACHABLE),
                        replace(world, gateway=gateway, faults=world.faults - 1),
                    )
            if world.faults:
                yield with_driver(replace(driver, answer=Outcome.UNREACHABLE), replace(world, faults=world.faults - 1))
            continue
        for outcome in outcomes(world, driver):
            yield from commit(world, driver, outcome, with_driver, rules)


def commit(
    world: World, driver: Driver, outcome: Outcome, with_driver: Callable[[Driver, World], World], rules: Rules
) -> Iterator[World]:
    """The driver commits this outcome; the gate refuses it when the lease is another's or the point has moved."""
    transition = rules.step(driver.point, outcome)
    if Write.CONFIRM_STOCK in transition.writes and world.stock != "held" and rules.reserved:
        # Refused by the check before the gate; what follows is another statement.
        yield with_driver(replace(driver, answer=Outcome.STOCK_LOST), world)
        return
    if rules.fenced and (driver.lease != "current" or world.point != driver.point):
        yield with_driver(Driver(), world)
        return
    yield with_driver(Driver(driver.lease, transition.point), apply(world, transition.writes, transition.point))


def outcomes(world: World, driver: Driver) -> Iterator[Outcome]:
    """How the task may have gone, the gateway's answer included."""
    task = TASK[driver.point]
    if driver.answer is not None:
        yield driver.answer
    else:
        yield Outcome.LATE if task is Task.GIVE_UP else Outcome.READY


@dataclass
class Explored:
    """`stuck`: states from which no finished checkout can be reached any more."""

    states: int
    points: set[str]
    broken: list[str]
    stuck: int


def explore(rules: Rules, *starts: World) -> Explored:
    """Every state that is reachable from `starts`, breadth first; a broken one is not followed further."""
    before: dict[World, list[World]] = {start: [] for start in starts}
    queue, broken = deque(starts), []
    while queue:
        world = queue.popleft()
        sentence = bad(world)
        if sentence is not None:
            broken.append(f"{sentence}: {world}")
            continue
        for state in moves(world, rules):
            if state not in before:
                before[state] = []
                queue.append(state)
            before[state].append(world)
    ends = [world for world in before if world.point in {*TERMINAL, "none"}]
    alive, queue = set(ends), deque(ends)
    while queue:
        for world in before[queue.popleft()]:
            if world not in alive:
                alive.add(world)
                queue.append(world)
    return Explored(len(before), {world.point for world in before}, broken, len(before) - len(alive))


def test_no_bad_state_is_reachable() -> None:
    began = time.monotonic()
    found = explore(Rules(), World())
    print(
        f"R-P3: {found.states} states, {len(found.broken)} violations, {found.stuck} stuck,"
        f" {time.monotonic() - began:.1f} s"
    )
    assert found.broken == []
    assert found.points == {"none", *RECOVERY_POINTS}
    assert found.stuck == 0
    assert found.states > 1_000


def test_no_bad_state_is_reachable_with_two_keys_for_one_cart() -> None:
    found = explore(Rules(), World(keys="two"))
    print(f"R-P3: {found.states} states of one cart, {len(found.broken)} violations, {found.stuck} stuck")
    assert found.broken == []
    assert found.points == {"none", *RECOVERY_POINTS}
    assert found.stuck == 0
    assert found.states > 1_000


def test_what_an_earlier_version_left_is_finished() -> None:
    assert {world.point for world in LEFT} == set(OLD_POINTS)
    for world in LEFT:
        found = explore(Rules(), world)
        assert (found.broken, found.stuck) == ([], 0)
        assert found.points & TERMINAL
        assert found.points & set(OLD_POINTS) == {world.point}


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (Rules(claimed=False), "two checkouts under one key"),
        (Rules(reserved=False), "confirmed without its stock"),
        (Rules(fenced=False), ""),
        (Rules(tombstone=False), "failed but money is held"),
        (Rules(derived_key=False), "charged twice"),
        (Rules(step=lambda p, e: replace(saga.step(p, e), writes=()) if e is Outcome.LATE else saga.step(p, e)), ""),
    ],
    ids=[
        "no claim",
        "no check of the reservation",
        "no fencing",
        "no tombstone",
        "a key per attempt",
        "late checkouts write nothing",
    ],
)
def test_each_guard_taken_away_is_missed(rules: Rules, sentence: str) -> None:
    broken = explore(rules, World()).broken
    assert any(line.startswith(sentence) for line in broken)


def without(write: Write) -> Callable[[str, Outcome], Transition]:
    """The product's steps, but none of them writes `write`."""

    def step(point: str, outcome: Outcome) -> Transition:
        move = saga.step(point, outcome)
        return replace(move, writes=tuple(each for each in move.writes if each is not write))

    return step


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (Rules(cart_claimed=False), "two checkouts of one cart"),
        (Rules(step=without(Write.RELEASE_CART)), "cancelled but not back in the cart"),
        (Rules(step=without(Write.TAKE_CART)), "paid but still in the cart"),
        (Rules(step=without(Write.RELEASE_COUPONS)), "cancelled but its code is not free"),
    ],
    ids=["no claim", "the claim is not given up", "the cart keeps what was ordered", "a code is not given back"],
)
def test_each_guard_of_the_cart_taken_away_is_missed(rules: Rules, sentence: str) -> None:
    broken = explore(rules, World(keys="two")).broken
    assert any(line.startswith(sentence) for line in broken)


def test_every_point_that_is_not_the_end_has_a_task() -> None:
    assert set(TASK) == {*RECOVERY_POINTS, *OLD_POINTS} - TERMINAL


def test_nothing_enters_a_point_of_an_earlier_version() -> None:
    assert {move.point for move in saga.TRANSITIONS.values()} <= set(RECOVERY_POINTS)


@pytest.mark.parametrize("point", sorted((*RECOVERY_POINTS, *OLD_POINTS)))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_cannot_happen_is_refused(point: str, outcome: Outcome) -> None:
    if point in TERMINAL or (point, outcome) not in saga.TRANSITIONS:
        with pytest.raises(saga.ImpossibleStep):
            saga.step(point, outcome)
    else:
        assert saga.step(point, outcome).point in RECOVERY_POINTS
