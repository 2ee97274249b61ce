"""The streaming loop with a server and a lake that do not exist."""

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
from warehouse.cdc.wire import Replication
from warehouse.contract import parse_contract


class Server:
    """One transaction, then silence."""

    def __init__(self) -> None:
        self._messages = [begin(19), relation(LINES), line(1), commit(20)]
        self.wal_end, self.answer_due = 20, False
        self.confirmed: list[int] = []

    def read(self) -> bytes | None:
        return self._messages.pop(0) if self._messages else None

    def start(self, *_: object) -> None:
        """Always succeeds."""

    def wait(self, seconds: float) -> None:
        """Nothing arrives."""

    def confirm(self, lsn: int) -> None:
        self.confirmed.append(lsn)
        assert len(self.confirmed) < 3, "it goes round and round"


def test_a_lake_that_times_out_ends_the_stream(tmp_path: Path) -> None:
    """A folder on a network gives TimeoutError, as waiting for a batch does."""

    def apply(_: Batch) -> None:
        raise TimeoutError(110, "Connection timed out")

    server = Server()
    writer = SimpleNamespace(lsn=10, source=SimpleNamespace(slot="slot"), apply=apply, awaited=None, fold=int)
    stream = Stream(
        cast("Replication", server),
        writer=cast("LakeWriter", writer),
        collector=Collector(parse_contract(lab_contract()).by_name, 10, tmp_path, 10**9),
        maintenance=cast("Maintenance", SimpleNamespace(run_next=lambda *_, **__: None)),
        pace=Pace(0.1, 1000, 60.0),
        tick=lambda: None,
    )
    with pytest.raises(TimeoutError, match="timed out"):
        stream.run("souk_cdc", lambda: False)
    assert server.confirmed == []
