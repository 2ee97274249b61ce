"""Group commit in one process: what may share a statement, in which order, and who hears of a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.kernel.batching import Batches


class Wrong(Exception):
    """What a statement raises for a wrong item."""


@dataclass(frozen=True)
class Item:
    """`keys`: a letter each."""

    name: str
    keys: str = ""
    wrong: bool = False


@dataclass
class Desk:
    """Executes batches one step at a time: each stays open until the test lets it go. Its patience is over at once."""

    kind: type[Batches[Item, str]] = Batches
    running: int = 2
    size: int = 8
    apart: bool = False
    patience: float = 0
    divisible: bool = True
    pause: float = 0
    coming: int | None = 0
    began: list[list[str]] = field(default_factory=list)
    open: list[tuple[list[Item], asyncio.Event]] = field(default_factory=list)
    tasks: list["asyncio.Task[str]"] = field(default_factory=list)
    batches: Batches[Item, str] = field(init=False)

    def __post_init__(self) -> None:
        self.batches = self.kind(
            self.execute,
            keys=lambda item: item.keys,
            divisible=lambda error: self.divisible and isinstance(error, Wrong),
            size=self.size,
            apart=self.apart,
            patience=self.patience,
            running=self.running,
            pause=self.pause,
            crowd=3,
            coming=None if self.coming is None else lambda: self.coming or 0,
        )

    async def execute(self, items: Sequence[Item]) -> list[str]:
        gate = asyncio.Event()
        self.began.append([item.name for item in items])
        self.open.append((list(items), gate))
        await gate.wait()
        if any(item.wrong for item in items):
            raise Wrong(", ".join(item.name for item in items if item.wrong))
        return [f"{item.name} done" for item in items]

    async def come(self, *items: Item) -> list[asyncio.Task[str]]:
        """Submit the items one after the other."""
        tasks = []
        for item in items:
            tasks.append(asyncio.create_task(self.batches.submit(item)))
            await settle()
        self.tasks += tasks
        return tasks

    async def close(self) -> None:
        """Everybody leaves, and what runs ends."""
        for task in self.tasks:
            task.cancel()
        for _, gate in self.open:
            gate.set()
        await settle()

    async def go(self, place: int = 0) -> None:
        """Let the batch that began as the `place`-th of those open end."""
        items, gate = self.open.pop(place)
        assert len({key for item in items for key in item.keys} & self.busy()) == 0, "two statements hold one key"
        gate.set()
        await settle()

    def busy(self) -> set[str]:
        """The keys of the batches that are open."""
        return {key for items, _ in self.open for item in items for key in item.keys}


async def settle() -> None:
    """Let everything happen that happens by itself."""
    for _ in range(3):
        await asyncio.sleep(0.002)


@pytest.fixture
async def open_desk() -> AsyncIterator["OpenDesk"]:
    desks: list[Desk] = []

    def opened(**settings: Any) -> Desk:
        desks.append(Desk(**settings))
        return desks[-1]

    yield opened
    for desk in desks:
        await desk.close()


OpenDesk = Callable[..., Desk]


def items(text: str) -> list[Item]:
    """`a1` is an item with the key a, `ab2` one with the keys a and b, `3` one without a key."""
    return [Item(word, word.rstrip("0123456789")) for word in text.split()]


async def test_the_first_starts_at_once_and_what_comes_meanwhile_shares_the_next_statement(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=60)
    tasks = await desk.come(*items("1 2 3 4"))
    assert desk.began == [["1"]]
    await desk.go()
    assert desk.began == [["1"], ["2", "3", "4"]]
    await desk.go()
    assert [task.result() for task in tasks] == ["1 done", "2 done", "3 done", "4 done"]


async def test_what_comes_in_one_turn_of_the_loop_shares_a_statement(open_desk: OpenDesk) -> None:
    """Control: above, where each comes in a turn of its own, the first goes alone."""
    desk = open_desk(patience=60)
    desk.tasks += [asyncio.create_task(desk.batches.submit(item)) for item in items("1 2 a3 a4")]
    await settle()
    assert desk.began == [["1", "2", "a3", "a4"]]


async def test_items_with_one_key_are_kept_apart_where_they_must_be(open_desk: OpenDesk) -> None:
    """Control: above they share a statement."""
    desk = open_desk(patience=60, apart=True)
    desk.tasks += [asyncio.create_task(desk.batches.submit(item)) for item in items("1 ab2 a3 b4 c5 a6")]
    await settle()
    assert desk.began == [["1", "ab2", "c5"]]
    await desk.go()
    assert desk.began == [["1", "ab2", "c5"], ["a3", "b4"]]
    await desk.go()
    assert desk.began == [["1", "ab2", "c5"], ["a3", "b4"], ["a6"]]


async def test_the_next_statement_is_on_its_way_before_those_of_the_one_before_go_on(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=60)
    seen: list[list[list[str]]] = []

    async def buyer(name: str) -> None:
        await desk.batches.submit(Item(name))
        seen.append(list(desk.began))

    for name in ("1", "2", "3"):
        desk.tasks.append(asyncio.create_task(buyer(name)))  # type: ignore[arg-type]  # only to be ended
        await settle()
    await desk.go()
    assert seen == [[["1"], ["2", "3"]]]


async def test_in_a_crowd_a_batch_waits_for_those_that_are_on_their_way(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=60, pause=60, coming=6)
    await desk.come(*items("1 2 3"))
    assert desk.began == [], "three more are coming"
    await desk.come(*items("4"))
    assert desk.began == [["1", "2", "3", "4"]], "two are no crowd"
    await desk.come(*items("5 6"))
    await desk.go()
    assert desk.began == [["1", "2", "3", "4"]], "the crowd is as large as before: four have yet to come"
    desk.coming = 4
    await desk.come(*items("7"))
    assert desk.began == [["1", "2", "3", "4"], ["5", "6", "7"]]


async def test_a_batch_that_is_full_does_not_wait(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=60, pause=60, coming=100, size=2)
    await desk.come(*items("1 2 3"))
    assert desk.began == [["1", "2"]]


async def test_nobody_waits_longer_than_the_pause_for_those_that_do_not_come(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=60, pause=0.05, coming=100)
    began = asyncio.get_running_loop().time()
    await desk.come(*items("1 2"))
    assert desk.began == []
    await asyncio.sleep(0.06 - (asyncio.get_running_loop().time() - began))
    assert desk.began == [["1", "2"]]
    await desk.come(*items("3"))
    await asyncio.sleep(0.1)
    await desk.go()
    assert desk.began == [["1", "2"], ["3"]], "3 has waited long enough while the batch before it ran"


async def test_as_many_are_expected_as_the_batch_before_had(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=60, pause=0.05, coming=None)
    await desk.come(*items("1 2 3 4 5 6"))
    await desk.go()
    await desk.go()
    assert desk.began == [["1"], ["2", "3", "4", "5", "6"]]
    await desk.come(*items("7 8"))
    assert desk.began[2:] == [], "three more had come the last time"
    await desk.come(*items("9"))
    assert desk.began[2:] == [["7", "8", "9"]], "two are no crowd"
    await desk.go()
    await desk.come(*items("10"))
    assert desk.began[3:] == [["10"]], "few came the last time"


async def test_the_last_of_a_crowd_goes_alone_at_once(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=60, pause=60, coming=1)
    await desk.come(*items("1"))
    assert desk.began == [["1"]]


async def test_no_more_statements_run_at_once_than_allowed_and_none_is_larger(open_desk: OpenDesk) -> None:
    desk = open_desk(running=2, size=3)
    await desk.come(*items("1 2 3 4 5 6 7"))
    assert desk.began == [["1"], ["2"]]
    await desk.go(1)
    assert desk.began == [["1"], ["2"], ["3", "4", "5"]]
    await desk.go()
    assert desk.began == [["1"], ["2"], ["3", "4", "5"], ["6", "7"]]


async def test_a_statement_that_waits_for_long_does_not_hold_up_those_that_want_other_keys(open_desk: OpenDesk) -> None:
    desk = open_desk(patience=0.05)
    await desk.come(*items("a1 a2 b3 c4"))
    assert desk.began == [["a1"]]
    await asyncio.sleep(0.1)
    assert desk.began == [["a1"], ["b3", "c4"]], "a2 waits for the key that a1 holds"


async def test_items_with_one_key_share_a_statement_and_are_never_in_two(open_desk: OpenDesk) -> None:
    desk = open_desk(running=3)
    await desk.come(*items("a1 a2 a3 b4 a5"))
    assert desk.began == [["a1"], ["b4"]], "b4 passes the items that wait for a"
    await desk.go(0)
    assert desk.began == [["a1"], ["b4"], ["a2", "a3", "a5"]]


async def test_a_later_item_never_overtakes_an_earlier_one_that_wants_the_same(open_desk: OpenDesk) -> None:
    desk = open_desk(running=4)
    await desk.come(*items("a1 b2 ab3 a4 b5 c6"))
    assert desk.began == [["a1"], ["b2"], ["c6"]]
    await desk.go(0)
    assert desk.began == [["a1"], ["b2"], ["c6"]], "a is free, but ab3 came before a4"
    await desk.go(0)
    assert desk.began == [["a1"], ["b2"], ["c6"], ["ab3", "a4", "b5"]]


async def served_within(desk: Desk, rounds: int) -> int:
    """How many statements begin before an item that wants two busy keys is served, while others keep coming."""
    await desk.come(*items("a1 b2 ab3"))
    for number in range(10, 10 + rounds):
        # One of the two keys is free again and again, and somebody new wants it.
        await desk.come(*items(f"{'ab'[number % 2]}{number}"))
        await desk.go(0)
        if any("ab3" in batch for batch in desk.began):
            break
    return next((n for n, batch in enumerate(desk.began) if "ab3" in batch), -1)


async def test_nobody_waits_for_ever(open_desk: OpenDesk) -> None:
    assert 0 < await served_within(open_desk(), 20) <= 3


async def test_mutant_where_later_items_overtake_lets_one_wait_for_ever(open_desk: OpenDesk) -> None:
    class Overtaking(Batches[Item, str]):
        def _next(self) -> list:  # type: ignore[type-arg]  # the mutation
            batch = [t for t in self._waiting if not t.result.done() and self._busy.isdisjoint(t.keys)][: self._size]
            for ticket in batch:
                self._waiting.remove(ticket)
            return batch

    assert await served_within(open_desk(kind=Overtaking), 20) == -1


async def test_one_wrong_item_fails_alone(open_desk: OpenDesk) -> None:
    desk = open_desk(running=1)
    tasks = await desk.come(Item("1"), Item("2"), Item("3", wrong=True), Item("4"))
    await desk.go()
    await desk.go()
    assert desk.began == [["1"], ["2", "3", "4"], ["2"], ["3"], ["4"]]
    for _ in range(3):
        await desk.go()
    assert [task.exception() is None for task in tasks] == [True, True, False, True]
    with pytest.raises(Wrong, match=r"^3$"):
        await tasks[2]


async def test_a_failure_that_may_have_had_an_effect_is_told_to_all_and_repeated_for_none(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(running=1, divisible=False)
    tasks = await desk.come(Item("1"), Item("2"), Item("3", wrong=True))
    await desk.go()
    await desk.go()
    assert desk.began == [["1"], ["2", "3"]]
    for task in tasks[1:]:
        with pytest.raises(Wrong):
            await task


async def test_after_a_failure_the_next_come_as_before(open_desk: OpenDesk) -> None:
    desk = open_desk(running=1)
    tasks = await desk.come(Item("a1", "a", wrong=True), Item("a2", "a"))
    await desk.go()
    await desk.go()
    assert await tasks[1] == "a2 done"
    with pytest.raises(Wrong):
        await tasks[0]


async def test_who_is_cancelled_leaves_the_queue_and_holds_up_nobody(open_desk: OpenDesk) -> None:
    desk = open_desk(running=1)
    tasks = await desk.come(*items("a1 a2 a3"))
    tasks[1].cancel()
    await settle()
    await desk.go()
    assert desk.began == [["a1"], ["a3"]]


async def test_an_item_that_runs_is_not_undone_when_its_caller_leaves(open_desk: OpenDesk) -> None:
    desk = open_desk(running=1)
    tasks = await desk.come(*items("a1 a2"))
    tasks[0].cancel()
    await settle()
    assert desk.began == [["a1"]], "a2 still waits for the key"
    await desk.go()
    assert desk.began == [["a1"], ["a2"]]
    await desk.go()
    assert await tasks[1] == "a2 done"


def test_the_desk_sees_two_statements_with_one_key() -> None:
    desk = Desk()
    desk.open = [(items("a1"), asyncio.Event()), (items("a2"), asyncio.Event())]
    with pytest.raises(AssertionError, match="two statements hold one key"):
        asyncio.run(desk.go())
