"""The worker's jobs pause together, and one whose bell rings runs at once."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest

from api import worker
from api.kernel.context import Context
from api.kernel.jobs import Bell, Job
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


@pytest.mark.parametrize(("calms", "stirs", "long"), [(True, False, True), (True, True, False), (False, False, False)])
def test_who_calms_pauses_longer_while_nothing_stirs(
    monkeypatch: pytest.MonkeyPatch, calms: bool, stirs: bool, long: bool
) -> None:
    monkeypatch.setattr(worker, "CALM_SECONDS", 0.0)

    async def work() -> bool:
        beats = Beats(asyncio.Event())
        await asyncio.sleep(0.01)
        pause = asyncio.create_task(beats.pause(0.1, calms=calms))
        await asyncio.sleep(0)
        if stirs:
            beats.stir()
        done, _ = await asyncio.wait([pause], timeout=0.25)
        pause.cancel()
        return not done

    assert asyncio.run(work()) is long


def test_nobody_pauses_longer_in_a_shop_that_was_stirred_lately() -> None:
    async def work() -> bool:
        beats = Beats(asyncio.Event())
        done, _ = await asyncio.wait([asyncio.create_task(beats.pause(0.1, calms=True))], timeout=0.25)
        return bool(done)

    assert asyncio.run(work())


def test_a_job_that_had_something_to_do_stirs_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(worker, "CALM_SECONDS", 0.0)
    ctx = create_autospec(Context, instance=True, settings=SimpleNamespace(home=tmp_path))
    looks: list[str] = []

    async def work() -> None:
        stop = asyncio.Event()

        async def calm(_: Context) -> int:
            looks.append("calm")
            if len(looks) > 1:
                stop.set()
            return 0

        async def busy(_: Context) -> int:
            await asyncio.sleep(0.1)
            return 1

        jobs = [Job("calm", 60.0, calm, calms=True), Job("busy", 60.0, busy)]
        await asyncio.wait_for(worker.work(ctx, jobs, stop), 10)

    asyncio.run(work())
    assert looks == ["calm", "calm"]


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
