"""uvicorn's server, which sleeps while no request arrives.

uvicorn looks ten times a second whether it was told to end. Here a signal wakes it; once a second it renews the date of
its answers.

`warehouse/quiet_server.py` and `api/kernel/quiet_server.py` are one text in two places, because neither side may import
the other; a test compares them.
"""

import asyncio
import contextlib
import sys
from types import FrameType

import uvicorn
from uvicorn.config import STARTUP_FAILURE

_DATE_SECONDS = 1.0


class QuietServer(uvicorn.Server):
    """Serves until SIGTERM or SIGINT."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _DATE_SECONDS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)


def serve(config: uvicorn.Config, kind: type[QuietServer] = QuietServer) -> None:
    """Serve in this process until it is told to end; exits with status 3 when it cannot begin."""
    server = kind(config)
    with contextlib.suppress(KeyboardInterrupt):  # raised again at the end of a graceful stop by SIGINT
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
