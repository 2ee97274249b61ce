"""The streaming loop: receive, collect, pass whole transactions to the writer's thread, confirm to the slot what is
durable.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.batch import Batch
from warehouse.cdc.collect import Collector
from warehouse.cdc.maintenance import Maintenance
from warehouse.cdc.wire import HasFileno, Replication
from warehouse.failpoints import hit
from warehouse.lake.watermark import Watermark

_READ_AT_ONCE = 10_000
_FEEDBACK_SECONDS = 5.0
_MAINTENANCE_SECONDS = 0.9
# The server and a stop end a wait. What else there is comes once a second: maintenance and the caller's ticks.
_LONGEST_WAIT = 1.0
_GATHER_SECONDS = 0.1
_GATHERED_ROWS = 1_000  # above it the stream is fast, and its buffers must be emptied
_BUSY_SHARE = 10  # a batch this part of a full one within one pace: the stream is catching up


@dataclass(frozen=True)
class Pace:
    """A batch is handed over at `rows`, or when the last one was handed over `seconds` ago: after a silence at once.

    Always at the end of a transaction. Where the server has nothing for us, its position becomes durable every
    `heartbeat_seconds`.
    """

    seconds: float
    rows: int
    heartbeat_seconds: float


class Stream:
    """One replication connection, from the lake's LSN on.

    `tick` is called in every round. `reached`: everything that the server committed up to this position is in the lake;
    it may lie above the last watermark when nothing since then was for us.
    """

    def __init__(
        self,
        replication: Replication,
        *,
        writer: LakeWriter,
        collector: Collector,
        maintenance: Maintenance,
        pace: Pace,
        tick: Callable[[], None],
    ) -> None:
        self._replication, self._writer, self._collector = replication, writer, collector
        self._maintenance, self._pace, self._tick = maintenance, pace, tick
        self._writing: Future[Watermark] | None = None
        self._written: Batch | None = None
        self._busy = False
        self._maintaining: Future[str | None] | None = None
        self._durable = self.reached = writer.lsn
        self._opened_at: float | None = None
        self._moved_at = self._fed_back_at = self._maintained_at = time.monotonic()
        self._handed_at = 0.0
        self._woken_by: Sequence[HasFileno] = ()

    def run(self, publication: str, stopping: Callable[[], bool], woken_by: Sequence[HasFileno] = ()) -> None:
        """Stream until `stopping`; complete transactions are then made durable. `woken_by`: can be read when `stopping`
        may have changed.

        Raises what the server or the lake raises.
        """
        self._woken_by = woken_by
        self._replication.start(self._writer.source.slot, self._writer.lsn, publication)
        with contextlib.ExitStack() as leaving:
            leaving.callback(self._discard)  # last: the lake's thread may still read the spill files
            lake = leaving.enter_context(ThreadPoolExecutor(1, thread_name_prefix="lake"))
            bases = leaving.enter_context(ThreadPoolExecutor(1, thread_name_prefix="bases"))
            while not stopping():
                self._receive()
                self._settle(block=False)
                self._move_on()
                self._hand_over(lake)
                self._maintain(lake, bases)
                self._tick()
            self._finish(lake)

    def _receive(self) -> None:
        """Read the available messages, at most until a batch is full; wait briefly when there are none."""
        read, feed, collector = self._replication.read, self._collector.feed, self._collector
        limit = self._pace.rows
        for count in range(_READ_AT_ONCE):
            message = read()
            if message is None:
                if count == 0:
                    self._wait()
                return
            if feed(message):
                if self._opened_at is None:
                    self._opened_at = time.monotonic()
                if collector.batch.rows >= limit:
                    hit("cdc.after_receive")
                    return
        if collector.batch.rows:
            hit("cdc.after_receive")

    def _wait(self) -> None:
        """Until something arrives, or something is due. While a batch is open more messages change nothing, so they
        are left to gather: waking for each transaction would cost as much as its rows."""
        due = _LONGEST_WAIT
        if self._writing is not None:
            due = min(due, self._pace.seconds / 4)
        elif self._opened_at is not None and not self._collector.open:
            due = min(due, max(self._handed_at + self._pace.seconds - time.monotonic(), 0.0))
            if not self._busy and self._collector.batch.rows < _GATHERED_ROWS:
                time.sleep(min(due, _GATHER_SECONDS))
                return
        self._replication.wait(due, self._woken_by)

    def _hand_over(self, lake: ThreadPoolExecutor) -> None:
        batch = self._collector.batch
        if self._opened_at is None or self._collector.open or batch.lsn is None:
            return
        full = batch.rows >= self._pace.rows
        if not full and time.monotonic() - self._handed_at < self._pace.seconds:
            return
        if self._writing is not None:
            if not full:
                return
            self._settle(block=True)
        self._submit(lake)

    def _submit(self, lake: ThreadPoolExecutor) -> None:
        batch = self._collector.take()
        self._busy = batch.rows >= self._pace.rows // _BUSY_SHARE
        self._opened_at = None
        self._handed_at = time.monotonic()
        hit("cdc.after_receive")
        self._written = batch
        self._writing = lake.submit(self._write, batch)

    def _write(self, batch: Batch) -> Watermark:
        """In the lake's thread."""
        mark = self._writer.apply(batch)
        batch.discard()
        return mark

    def _maintain(self, lake: ThreadPoolExecutor, bases: ThreadPoolExecutor) -> None:
        """At most one piece of maintenance a second, in the thread of the batches, so that a table has one writer."""
        if self._maintaining is not None:
            if not self._maintaining.done():
                return
            self._maintaining.result()
            self._maintaining = None
        if time.monotonic() - self._maintained_at >= _MAINTENANCE_SECONDS:
            self._maintained_at = time.monotonic()
            self._maintaining = lake.submit(self._maintenance.run_next, bases, busy=self._busy)

    def _settle(self, *, block: bool) -> None:
        """Confirm the batch to the slot once it is durable; keep the connection alive while waiting."""
        while self._writing is not None and (block or self._writing.done()):
            if wait([self._writing], _FEEDBACK_SECONDS).done:
                self._durable = self._writing.result().lsn
                self._writing = self._written = None
                hit("cdc.before_feedback")
            self._feedback()
        if time.monotonic() - self._fed_back_at > _FEEDBACK_SECONDS:
            self._feedback()

    def _feedback(self) -> None:
        self._replication.confirm(self._durable)
        self._fed_back_at = time.monotonic()
        hit("cdc.after_feedback")

    def _move_on(self) -> None:
        """Where everything received is in the lake, the lake's position follows the server's: by a watermark, because
        the slot must never pass the lake. Then a busy server can remove old log files while the publication is idle.
        """
        now, collector, replication = time.monotonic(), self._collector, self._replication
        if collector.open or collector.batch.lsn is not None or self._writing is not None:
            self._moved_at = now
            self.reached = max(self.reached, self._durable)
            return
        self.reached = max(self.reached, replication.wal_end)
        awaited = self._writer.awaited
        due = now - self._moved_at >= self._pace.heartbeat_seconds
        if not (due or replication.answer_due or (awaited is not None and awaited <= replication.wal_end)):
            return
        self._moved_at = now
        if collector.skip_to(replication.wal_end, replication.sent_at):
            self._opened_at = now - self._pace.seconds
        elif replication.answer_due:
            self._feedback()

    def _finish(self, lake: ThreadPoolExecutor) -> None:
        self._settle(block=True)
        if not self._collector.open and self._collector.batch.lsn is not None:
            self._submit(lake)
            self._settle(block=True)
        lake.submit(self._writer.fold).result()

    def _discard(self) -> None:
        for batch in (self._written, self._collector.batch):
            if batch is not None:
                batch.discard()
