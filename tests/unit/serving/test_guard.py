"""A slow, broken or resting part never holds a request up."""

import threading
import time

from serving.guard import Guard


def _raise() -> int:
    raise ValueError("weights are gone")


async def test_a_result_in_time_is_the_result() -> None:
    guard = Guard("quick", seconds=5)

    assert await guard.call(lambda: 7) == 7
    guard.close()


async def test_a_late_part_is_given_up_at_its_deadline() -> None:
    guard = Guard("late", seconds=0.02)
    released = threading.Event()
    started = time.perf_counter()

    assert await guard.call(lambda: released.wait(5)) is None

    assert time.perf_counter() - started < 1
    released.set()
    guard.close()


async def test_a_failing_part_is_an_absent_part() -> None:
    guard = Guard("broken", seconds=5)

    assert await guard.call(_raise) is None
    assert await guard.call(lambda: 1) == 1
    guard.close()


async def test_after_three_failures_in_a_row_the_part_rests_and_is_not_called() -> None:
    guard = Guard("resting", seconds=5)
    calls: list[str] = []

    def record() -> int:
        calls.append("called")
        return len(calls)

    for _ in range(3):
        assert await guard.call(_raise) is None

    assert await guard.call(record) is None
    assert calls == []
    guard.close()


async def test_failures_with_successes_between_them_do_not_make_it_rest() -> None:
    guard = Guard("flickering", seconds=5)
    for _ in range(4):
        assert await guard.call(_raise) is None
        assert await guard.call(lambda: 1) == 1
    guard.close()
