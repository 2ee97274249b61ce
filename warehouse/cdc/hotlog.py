"""The writer of the hot log: one write and one fdatasync per batch."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from warehouse.failpoints import hit
from warehouse.files import sync
from warehouse.lake.hot import Head, Segment, encode_frame, open_segment, pack_tables, segment_path, segment_paths
from warehouse.logs import get_logger

log = get_logger(__name__)
_KEPT_FOR_READERS = 2


class NoSegment(OSError):
    """The segment could not be begun, for a reason that was an error of the disk: whoever comes later must wait too."""


class HotLog:
    """Appends to the newest segment of a folder. One per lake, used by the thread that writes batches.

    `rows`, `frames` and `bytes` of the segment, and when its oldest row was written (`time.monotonic`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._schemas: dict[str, pa.Schema] = {}
        self._reset()

    def _reset(self) -> None:
        self.rows = self.frames = self.bytes = 0
        self.oldest: float | None = None

    def left(self) -> Segment | None:
        """The newest segment as a dead process left it, its torn last frame cut off; raises HotLogDamaged."""
        paths = segment_paths(self._folder)
        if not paths:
            return None
        segment = open_segment(paths[-1])
        torn = paths[-1].stat().st_size - segment.end
        if torn:
            log.warning("a batch that was not confirmed is cut off", file=str(paths[-1]), bytes=torn)
            os.truncate(paths[-1], segment.end)
            hit("cdc.hot_cut")
            sync(paths[-1])
        return segment

    def begin(self, lsn: int, at: datetime, mark: Mapping[str, object]) -> None:
        """Begin a segment at a watermark that Delta holds. Older segments stay for two more, so that readers finish."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = segment_path(self._folder, lsn)
        partial = path.with_suffix(".part")
        frame = encode_frame(Head(lsn, lsn, at, datetime.now(UTC)), {"mark": mark})
        self._reset()
        self._path = None
        partial.unlink(missing_ok=True)
        self._write(partial, frame)
        hit("cdc.hot_begin")
        partial.replace(path)
        sync(self._folder)
        self._path, self._schemas = path, {}
        hit("cdc.hot_expire")
        for old in segment_paths(self._folder)[: -1 - _KEPT_FOR_READERS]:
            old.unlink(missing_ok=True)

    def append(
        self, previous: int, lsn: int, commit_ts: datetime, batches: Sequence[tuple[str, pa.RecordBatch]]
    ) -> datetime:
        """Make one batch durable; returns the frame's time. On an error the segment is as it was before."""
        if self._path is None:
            raise NoSegment("no segment of the hot log has begun")
        index, blobs, schemas = pack_tables(batches, self._schemas)
        now = datetime.now(UTC)
        self._write(self._path, encode_frame(Head(previous, lsn, commit_ts, now), index, blobs))
        self._schemas |= schemas
        self.rows += sum(batch.num_rows for _, batch in batches)
        if batches and self.oldest is None:
            self.oldest = time.monotonic()
        self.frames += 1
        return now

    def read(self) -> Segment:
        """The segment being written."""
        if self._path is None:
            raise NoSegment("no segment of the hot log has begun")
        return open_segment(self._path)

    def remove(self) -> None:
        """Remove every segment: they belong to a lake that is not there any more."""
        self._path = None
        for path in segment_paths(self._folder):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, frame: bytes) -> None:
        hit("cdc.hot_before")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            done = 0
            while done < len(frame):
                done += os.write(file, memoryview(frame)[done:])
            hit("cdc.hot_written")
            os.fdatasync(file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, self.bytes)
            raise
        finally:
            os.close(file)
        self.bytes += len(frame)
        hit("cdc.hot_synced")
