"""The worker's jobs pause together, and one whose bell rings runs at once."""

import asyncio

import pytest

from api.kernel.jobs import Bell
from api.worker import BEAT_SECONDS, Beats


async def ended_after(beats: Beats, seconds: float, began: float) -> float:
    await beats.pause(seconds)
    return asyncio.get_running_loop().time() - began


def test_pauses_of_several_jobs_end_at_one_moment_and_none_is_longer_than_asked() -> None:
    async def work() -> list[float]:
        beats, loop = Beats(asyncio.Event()), asyncio.get_running_loop()
        await beats.pause(BEAT_SECONDS)  # to a beat
        began = loop.time()
        await asyncio.sleep(0.1)
        pauses = [asyncio.create_task(ended_after(beats, seconds, began)) for seconds in (0.5, 0.6, 0.7, 0.8)]
        return await asyncio.gather(*pauses)

    ends = asyncio.run(work())

    assert max(ends) - min(ends) < 0.1
    assert min(ends) > 0.35, "half a second after the beat before"


@pytest.mark.parametrize("before", [False, True])
def test_a_stop_ends_every_pause(before: bool) -> None:
    async def work() -> None:
        stop = asyncio.Event()
        beats = Beats(stop)
        ending = asyncio.create_task(beats.end())
        if before:
            stop.set()
        pauses = [asyncio.create_task(beats.pause(seconds)) for seconds in (60, 600, 0.05)]
        await asyncio.sleep(0)
        stop.set()
        await asyncio.wait_for(asyncio.gather(ending, *pauses), 10)

    asyncio.run(work())


def test_a_pause_shorter_than_a_beat_is_as_long_as_asked() -> None:
    async def work() -> float:
        beats, loop = Beats(asyncio.Event()), asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3):
            await beats.pause(0.02)
        return loop.time() - began

    assert asyncio.run(work()) < BEAT_SECONDS


@pytest.mark.parametrize("moment", ["before", "while", "never"])
def test_a_bell_ends_a_pause_whenever_it_rings(moment: str) -> None:
    async def work() -> bool:
        beats, bell = Beats(asyncio.Event()), Bell()
        if moment == "before":
            bell.ring()
        pause = asyncio.create_task(beats.pause(60, bell))
        await asyncio.sleep(0)
        if moment == "while":
            bell.ring()
        done, _ = await asyncio.wait([pause], timeout=0.2 if moment == "never" else 10)
        pause.cancel()
        return bool(done)

    assert asyncio.run(work()) is (moment != "never")


def test_one_ring_ends_one_pause() -> None:
    async def work() -> bool:
        beats, bell = Beats(asyncio.Event()), Bell()
        bell.ring()
        bell.ring()
        await beats.pause(60, bell)
        again = asyncio.create_task(beats.pause(60, bell))
        done, _ = await asyncio.wait([again], timeout=0.2)
        again.cancel()
        return bool(done)

    assert not asyncio.run(work())
