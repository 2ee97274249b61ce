"""A server without requests sleeps, and ends when it is told to."""

import asyncio
import signal
import subprocess
import sys

import pytest
import uvicorn

from tests.harness.processes import ROOT
from warehouse.quiet_server import QuietServer

ASLEEP = """
import uvicorn
from warehouse import quiet_server

async def application(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    print("listens", flush=True)
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

quiet_server._DATE_SECONDS = 3600.0
quiet_server.serve(uvicorn.Config(application, port=0, log_level="warning"))
"""


async def rounds(server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a server looks around in 0.8 s without requests."""
    looked = 0
    on_tick = server.on_tick

    async def counted(counter: int) -> bool:
        nonlocal looked
        looked += 1
        return await on_tick(counter)

    monkeypatch.setattr(server, "on_tick", counted)
    server.config.load()
    loop = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0.8)
    before = looked
    server.handle_exit(signal.SIGTERM, None)
    await asyncio.wait_for(loop, 10)
    return before


def test_a_server_without_requests_looks_around_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def application(scope: object, receive: object, send: object) -> None: ...

    assert asyncio.run(rounds(QuietServer(uvicorn.Config(application)), monkeypatch)) == 1
    assert asyncio.run(rounds(uvicorn.Server(uvicorn.Config(application)), monkeypatch)) > 2, "the control"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_that_would_sleep_for_an_hour(told: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", ASLEEP], cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listens\n"

        server.send_signal(told)

        assert server.wait(30) in (0, -told)
