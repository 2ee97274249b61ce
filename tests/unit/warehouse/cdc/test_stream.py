"""The streaming loop with a server and a lake that do not exist."""

import select
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.harness.cdc import lab_contract
from tests.harness.pgoutput_messages import LINES, begin, commit, line, relation
from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.batch import Batch
from warehouse.cdc.collect import Collector
from warehouse.cdc.maintenance import Maintenance
from warehouse.cdc.stream import Pace, Stream
from warehouse.cdc.wire import HasFileno, Replication
from warehouse.contract import parse_contract
from warehouse.stop import Stop


class Server:
    """One transaction, then silence."""

    def __init__(self, *, silent: bool = False) -> None:
        self._messages = [] if silent else [begin(19), relation(LINES), line(1), commit(20)]
        self.wal_end, self.answer_due = 20, False
        self.sent_at = datetime.now(UTC)
        self.confirmed: list[int] = []
        self.waits = 0

    def read(self) -> bytes | None:
        return self._messages.pop(0) if self._messages else None

    def start(self, *_: object) -> None:
        """Always succeeds."""

    def wait(self, seconds: float, others: Sequence[HasFileno] = ()) -> None:
        """Nothing arrives."""
        self.waits += 1
        select.select([*others], [], [], seconds)

    def confirm(self, lsn: int) -> None:
        self.confirmed.append(lsn)
        assert len(self.confirmed) < 3, "it goes round and round"


def stream_of(server: Server, folder: Path, apply: Callable[[Batch], None]) -> Stream:
    writer = SimpleNamespace(lsn=10, source=SimpleNamespace(slot="slot"), apply=apply, awaited=None, fold=int)
    return Stream(
        cast("Replication", server),
        writer=cast("LakeWriter", writer),
        collector=Collector(parse_contract(lab_contract()).by_name, 10, folder, 10**9),
        maintenance=cast("Maintenance", SimpleNamespace(run_next=lambda *_, **__: None)),
        pace=Pace(0.1, 1000, 60.0),
        tick=lambda: None,
    )


def test_while_the_server_is_silent_it_wakes_once_a_second_and_for_a_stop(tmp_path: Path) -> None:
    server, stop = Server(silent=True), Stop()
    stream = stream_of(server, tmp_path, lambda _: None)
    stopping = threading.Timer(1.5, stop.ask)
    stopping.start()

    began = time.monotonic()
    stream.run("souk_cdc", lambda: stop.asked, [stop])

    assert time.monotonic() - began < 1.9, "it did not wait for the next round"
    assert server.waits == 2
    stopping.join()


def test_a_lake_that_times_out_ends_the_stream(tmp_path: Path) -> None:
    """A folder on a network gives TimeoutError, as waiting for a batch does."""

    def apply(_: Batch) -> None:
        raise TimeoutError(110, "Connection timed out")

    server = Server()
    stream = stream_of(server, tmp_path, apply)
    with pytest.raises(TimeoutError, match="timed out"):
        stream.run("souk_cdc", lambda: False)
    assert server.confirmed == []
