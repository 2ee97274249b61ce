"""A batch: whole source transactions to be written to the lake, bounded in memory.

Row messages stay raw bytes per relation until the batch is written; above `spill_bytes` they become Arrow files in
the spool folder.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.cdc.columns import Layout, ValueRefused, decode_few, decode_rows, few_columns, longs, truncate_row
from warehouse.contract import CHANGE_COLUMNS

_FEW_ROWS = 48
_DECODED_AT_ONCE = 16 * 1024  # the decoder needs some ten times the bytes of what it decodes
_TIMESTAMP = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Transactions:
    """The transactions of a batch in commit order: number of the first message, LSN after the commit, time of the
    commit in microseconds since 1970."""

    first_seq: list[int] = field(default_factory=list)
    end_lsn: list[int] = field(default_factory=list)
    commit_micros: list[int] = field(default_factory=list)
    _arrays: tuple[Any, ...] = ()  # Any: numpy and Arrow, made by `_many`

    def committed_after(self, lsn: int) -> datetime | None:
        """When the first transaction that ends after `lsn` was committed, None when there is none."""
        at = bisect_right(self.end_lsn, lsn)
        return _EPOCH + timedelta(microseconds=self.commit_micros[at]) if at < len(self.end_lsn) else None

    def place(self, rows: pa.Table, schema: pa.Schema) -> pa.Table:
        """Replace `_seq` by `_commit_lsn`, `_ordinal` and `_commit_ts`; the result has `schema`, the change log's."""
        placed = self.few(rows["_seq"].to_pylist()) if rows.num_rows <= _FEW_ROWS else self._many(rows["_seq"])
        return pa.Table.from_arrays(
            [placed[name] if name in placed else rows[name] for name in schema.names], schema=schema
        )

    def few(self, seqs: list[int]) -> dict[str, pa.Array]:
        """The same as `_many`, without its array operations."""
        index = [bisect_right(self.first_seq, seq // 2) - 1 for seq in seqs]
        ordinals = [seq - 2 * self.first_seq[at] for seq, at in zip(seqs, index, strict=True)]
        return {
            "_commit_lsn": longs([self.end_lsn[at] for at in index]),
            "_ordinal": longs(ordinals),
            "_commit_ts": longs([self.commit_micros[at] for at in index], _TIMESTAMP),
        }

    def _many(self, rows: pa.ChunkedArray) -> dict[str, pa.Array]:
        if len(self._arrays) == 0 or len(self._arrays[0]) != len(self.first_seq):
            # Made once for all groups of a batch, whose transactions are complete when its rows are placed.
            ends = pa.array(self.end_lsn, pa.int64()), pa.array(self.commit_micros, pa.int64()).view(_TIMESTAMP)
            self._arrays = (np.asarray(self.first_seq, dtype=np.int64), *ends)
        firsts, lsns, times = self._arrays
        seqs = rows.to_numpy()
        index = np.searchsorted(firsts, seqs // 2, side="right") - 1
        at = pa.array(index)
        return {
            "_commit_lsn": lsns.take(at),
            "_ordinal": pa.array(seqs - 2 * firsts[index]),
            "_commit_ts": times.take(at),
        }


@contextmanager
def _decoding(table: str) -> Iterator[None]:
    """Whatever decoding raises is a refused value: only the data can be the cause, and it comes again after a
    restart."""
    try:
        yield
    except ValueRefused:
        raise
    except (ValueError, TypeError, LookupError, ArithmeticError, pa.ArrowException) as error:
        raise ValueRefused(f"table {table}: its rows cannot be decoded: {error}") from error


class Group:
    """Row messages of one relation layout within one batch."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.payloads: list[bytes] = []
        self.seqs = array("q")
        self.error: ValueRefused | None = None
        self._chunks: list[pa.Table] = []
        self._spilled: Path | None = None
        self._writer: pa.RecordBatchFileWriter | None = None

    @property
    def spilled(self) -> bool:
        return self._spilled is not None

    def seal(self) -> None:
        """Decode the raw messages. A refused value is kept as `error` and stops this table only."""
        if not self.payloads or self.error:
            return
        try:
            with _decoding(self.layout.table.name):
                self._chunks += self._decoded()
        except ValueRefused as error:
            self.error = error
        self.payloads, self.seqs = [], array("q")

    def _decoded(self) -> list[pa.Table]:
        if len(self.payloads) <= _FEW_ROWS:
            return [decode_few(self.layout, self.payloads, self.seqs)]
        seqs = np.frombuffer(self.seqs, dtype=np.int64)
        slices = [slice(at, at + _DECODED_AT_ONCE) for at in range(0, len(seqs), _DECODED_AT_ONCE)]
        return [decode_rows(self.layout, self.payloads[part], seqs[part]) for part in slices]

    def check(self) -> None:
        """Raise the ValueRefused of any row held.

        Called before the rows are handed on, because an exception inside an Arrow stream loses its type.
        """
        self.seal()
        if self.error:
            raise self.error

    def few(self, transactions: Transactions, above_lsn: int) -> pa.RecordBatch | None:
        """What `rows` gives, without its tables, where the rows are few and not decoded yet; None elsewhere.

        Raises ValueRefused.
        """
        raw = 0 < len(self.payloads) <= _FEW_ROWS and not self._chunks and not self.spilled and self.error is None
        if not raw or transactions.end_lsn[0] <= above_lsn:
            return None
        with _decoding(self.layout.table.name):
            columns, seqs = few_columns(self.layout, self.payloads, self.seqs)
        placed = transactions.few(seqs)
        ends = [placed[field.name] for field in CHANGE_COLUMNS if field.name in placed]
        return pa.RecordBatch.from_arrays([*columns, *ends], schema=self.layout.table.changes_schema)

    def truncate(self, seq: int) -> None:
        self.seal()
        self._chunks.append(truncate_row(self.layout, seq))

    def spill(self, folder: Path, name: str) -> None:
        """Move everything held so far to a file under `folder`."""
        self.seal()
        if self.error or not self._chunks:
            return
        if self._writer is None:
            folder.mkdir(parents=True, exist_ok=True)
            self._spilled = folder / f"{self.layout.table.name}-{self.layout.relation.oid}-{name}.arrow"
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            self._writer = pa.ipc.new_stream(str(self._spilled), self.layout.schema, options=options)
        for chunk in self._chunks:
            self._writer.write_table(chunk)
        self._chunks = []

    def rows(self, transactions: Transactions, above_lsn: int) -> Iterator[pa.Table]:
        """The change rows of transactions that ended after `above_lsn`, in the change log's schema; raises
        ValueRefused."""
        self.check()
        for chunk in self._held():
            rows = transactions.place(chunk, self.layout.table.changes_schema)
            if transactions.end_lsn[0] <= above_lsn:
                rows = rows.filter(pc.greater(rows["_commit_lsn"], above_lsn))
            if rows.num_rows:
                yield rows

    def _held(self) -> Iterator[pa.Table]:
        if self._writer is not None and self._spilled is not None:
            self._writer.close()
            # Read, not mapped: mapped pages would count as the process's memory.
            with pa.OSFile(str(self._spilled)) as file, pa.ipc.open_stream(file) as reader:
                for batch in reader:
                    yield pa.Table.from_batches([batch])
        yield from self._chunks

    def discard(self) -> None:
        """Remove the spill file."""
        if self._writer is not None:
            self._writer.close()
        if self._spilled is not None:
            self._spilled.unlink(missing_ok=True)


class Batch:
    """Everything received since the last hand-over.

    `lsn`: it holds every transaction that ended at or before it; None before the first. `moved_at`: the server's time
    where `lsn` lies after the last transaction.
    """

    def __init__(self) -> None:
        self.transactions = Transactions()
        self.groups: dict[bytes, Group] = {}
        self.retired: list[Group] = []
        self.stopped: dict[str, tuple[int, str]] = {}
        self.seq = 0
        self.bytes = 0
        self.lsn: int | None = None
        self.moved_at: datetime | None = None

    @property
    def rows(self) -> int:
        return self.seq

    @property
    def last_commit_ts(self) -> datetime:
        return self.moved_at or _EPOCH + timedelta(microseconds=self.transactions.commit_micros[-1])

    def by_table(self) -> dict[str, list[Group]]:
        """Groups with rows, per table name in alphabetical order."""
        found: dict[str, list[Group]] = {}
        for group in [*self.retired, *self.groups.values()]:
            found.setdefault(group.layout.table.name, []).append(group)
        return dict(sorted(found.items()))

    def discard(self) -> None:
        for group in [*self.retired, *self.groups.values()]:
            group.discard()
