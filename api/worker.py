"""`python -m api.worker`: the background jobs of the shop.

Several workers may run concurrently; every job claims its work in the database.
"""

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import orjson
import uvloop

from api import nouns
from api.kernel import clock, failpoints, logs, outbox
from api.kernel.context import Context, open_context
from api.kernel.environment import exit_on_invalid_settings
from api.kernel.files import replace_file
from api.kernel.jobs import Bell, Job
from api.kernel.settings import load_settings
from api.media.collecting import Collector

log = logs.get_logger(__name__)

# The relay is the kernel's, what follows from its events is the nouns'; so it is with pictures and what keeps them.
_RELAY, _AGAIN = outbox.Relay(nouns.followers(), nouns.drops(), nouns.doors(), nouns.spreads()), Bell()
# A batch costs as much for one event as for many, so those of a busy shop wait this long for each other.
AGAIN_SECONDS = 0.1


async def publish(ctx: Context) -> int:
    """Publish the pending events, and look again soon when there were any. Returns how many."""
    published = await _RELAY.run(ctx)
    if published:
        _AGAIN.ring_in(AGAIN_SECONDS)
    return published


RELAY = Job("outbox relay", 0.5, publish, _AGAIN)
_COLLECTOR = Collector(nouns.keepers())
COLLECTING = (
    Job("pictures that nothing shows", 600.0, _COLLECTOR.pictures),
    Job("objects without a picture", 3_600.0, _COLLECTOR.objects),
    Job("old drawn pictures", 24 * 3_600.0, _COLLECTOR.drawings),
)
JOBS = [RELAY, *nouns.jobs(), *COLLECTING]
STATUS_SECONDS = 5.0
BEAT_SECONDS = 0.5
# When no job had anything to do for so long, those that nobody waits for look so many times less often, until one has.
CALM_SECONDS, CALM_FACTOR = 60.0, 4


class Beats:
    """Pauses that end at common moments, so that an idle process wakes once for all its jobs. None is longer than asked
    for, but for those of a calm shop."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._pauses: set[asyncio.Event] = set()
        self._long: set[asyncio.Event] = set()
        self._stirred = asyncio.get_running_loop().time()

    def stir(self) -> None:
        """A job had something to do: whatever waits longer than it asked for looks now."""
        self._stirred = asyncio.get_running_loop().time()
        for pause in self._long:
            pause.set()

    async def pause(self, seconds: float, bell: Bell | None = None, *, calms: bool = False) -> None:
        """At most so long, `CALM_FACTOR` times with `calms` while nothing stirs; not after `stop`, and not after the
        bell rang."""
        if self._stop.is_set() or (bell is not None and bell.heard()):
            return
        loop, beat, ended = asyncio.get_running_loop(), min(seconds, BEAT_SECONDS), asyncio.Event()
        if calms and loop.time() > self._stirred + CALM_SECONDS:
            seconds *= CALM_FACTOR
            self._long.add(ended)
        timer = loop.call_at((loop.time() + seconds) // beat * beat, ended.set)
        self._pauses.add(ended)
        if bell is not None:
            bell.wakes = ended.set
        try:
            await ended.wait()
        finally:
            timer.cancel()
            self._pauses.discard(ended)
            self._long.discard(ended)
            if bell is not None:
                bell.wakes = None
                bell.heard()

    async def end(self) -> None:
        """Wait for `stop`, then end every pause."""
        await self._stop.wait()
        for pause in self._pauses:
            pause.set()


async def work(ctx: Context, jobs: Iterable[Job], stop: asyncio.Event) -> None:
    """Run every job in its own loop until `stop` is set; a run that has begun is finished."""
    beats = Beats(stop)
    async with asyncio.TaskGroup() as group:
        group.create_task(beats.end())
        for job in jobs:
            group.create_task(_loop(ctx, job, stop, beats), name=job.name)
        group.create_task(_report(ctx.settings.home / "run" / "worker-status.json", stop, beats))


async def _loop(ctx: Context, job: Job, stop: asyncio.Event, beats: Beats) -> None:
    while not stop.is_set():
        try:
            done = await job.run(ctx)
            if done:
                beats.stir()
                log.debug("job done", job=job.name, count=done)
        except Exception:  # an error of one job must not end the others
            log.exception("job failed, it will be tried again", job=job.name)
        await beats.pause(job.every_seconds, job.bell, calms=job.calms)


async def _report(path: Path, stop: asyncio.Event, beats: Beats) -> None:
    """A heartbeat for `souk status`, replaced atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while not stop.is_set():
        try:
            replace_file(path, orjson.dumps({"pid": os.getpid(), "updatedAt": clock.now()}), durable=False)
        except OSError as error:
            log.warning("the worker's status cannot be written", error=str(error))
        await beats.pause(STATUS_SECONDS)


async def main() -> None:
    """Open the context and run until SIGTERM or SIGINT."""
    settings = load_settings()
    logs.configure(settings.log_level)
    failpoints.arm(settings.failpoints, nouns.failpoints())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with open_context(settings) as ctx:
        await work(ctx, JOBS, stop)


def run() -> None:
    """The process. Wrong settings end it with status 1 and a sentence."""
    with exit_on_invalid_settings(failpoints.UnknownFailpoint):
        uvloop.run(main())


if __name__ == "__main__":
    run()
