"""One stream of chunks into several Delta commits at once, each written in a thread of its own while the next chunk is
being read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Full, Queue

import pyarrow as pa

_WAITING_CHUNKS = 2
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Sink:
    """A commit of the columns of `schema`: `write` reads the stream to its end and commits, or commits nothing."""

    schema: pa.Schema
    write: Callable[[pa.RecordBatchReader], int]


class _ReadingFailed(Exception):
    """Ends a sink's stream without a commit. The caller gets the reader's own error."""


class _Feed:
    """A sink's stream, filled from another thread. At most two chunks wait in it, so memory is bounded by the slowest
    sink."""

    def __init__(self, sink: Sink, pool: ThreadPoolExecutor) -> None:
        self._queue: Queue[pa.Table | None] = Queue(_WAITING_CHUNKS)
        self._schema = sink.schema
        self._failed = False
        self.written: Future[int] = pool.submit(
            sink.write, pa.RecordBatchReader.from_batches(sink.schema, self._batches())
        )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        while (chunk := self._queue.get()) is not None:
            yield from chunk.select(self._schema.names).to_batches()
        if self._failed:
            raise _ReadingFailed

    def put(self, chunk: pa.Table | None) -> None:
        """Pass on a chunk, None after the last. Raises the sink's error when the sink has failed."""
        while True:
            try:
                self._queue.put(chunk, timeout=_LOOK_SECONDS)
            except Full:
                if self.written.done():
                    self.written.result()
                    return
            else:
                return

    def fail(self) -> None:
        """End the stream so that nothing is committed. Raises nothing: the caller already handles an error."""
        self._failed = True
        while not self.written.done():
            try:
                self._queue.put(None, timeout=_LOOK_SECONDS)
            except Full:
                continue
            else:
                return


def write_all(chunks: Iterable[pa.Table], sinks: Sequence[Sink]) -> list[int]:
    """Send every chunk to every sink; returns what each `write` returned. An error while reading leaves no commit."""
    with ThreadPoolExecutor(len(sinks), thread_name_prefix="lake-write") as pool:
        feeds = [_Feed(sink, pool) for sink in sinks]
        try:
            for chunk in chunks:
                for feed in feeds:
                    feed.put(chunk)
        except BaseException:
            for feed in feeds:
                feed.fail()
            raise
        for feed in feeds:
            feed.put(None)
        return [feed.written.result() for feed in feeds]
