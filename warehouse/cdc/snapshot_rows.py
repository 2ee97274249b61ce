"""Chunks of a table as rows of its change log, and the sinks that write them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from warehouse.cdc.tee import Sink
from warehouse.contract import CHANGE_COLUMNS, Table
from warehouse.failpoints import hit
from warehouse.lake.append import Appender, Mode


def sink(table: Appender, schema: pa.Schema, lsn: int, mode: Mode) -> Sink:
    """Writes these columns of the chunks to a table in one commit."""

    def write(reader: pa.RecordBatchReader) -> int:
        return table.write((pa.Table.from_batches([batch]) for batch in reader), schema, lsn, mode)

    return Sink(schema, write)


class SnapshotRows:
    """Chunks of a table as rows of the change log: `r` at the snapshot's LSN, numbered from 1, after a `t` row
    where `reset`."""

    def __init__(self, table: Table, lsn: int, chunks: Iterable[pa.Table], *, reset: bool) -> None:
        self.count = 0
        self._table, self._lsn, self._chunks, self._reset = table, lsn, chunks, reset
        self._now = datetime.now(UTC)

    def __iter__(self) -> Iterator[pa.Table]:
        schema = self._table.changes_schema
        if self._reset:
            yield pa.Table.from_pylist(
                [{"_op": "t", "_commit_lsn": self._lsn, "_ordinal": 0, "_commit_ts": self._now}], schema=schema
            )
        op, lsn, ts = self._same(0)
        for chunk in self._chunks:
            count = chunk.num_rows
            if count > len(op):
                op, lsn, ts = self._same(count)
            ordinal = pa.array(np.arange(self.count + 1, self.count + count + 1))
            yield pa.Table.from_arrays([*chunk.columns, op[:count], lsn[:count], ordinal, ts[:count]], schema=schema)
            self.count += count
            hit("cdc.snapshot_mid")

    def _same(self, count: int) -> list[pa.Array]:
        """The columns that are the same in every row. Made once and sliced: making them costs as much as parsing the
        rows.
        """
        values = {"_op": "r", "_commit_lsn": self._lsn, "_commit_ts": self._now}
        return [
            pa.repeat(pa.scalar(values[field.name], field.type), count)
            for field in CHANGE_COLUMNS
            if field.name in values
        ]
