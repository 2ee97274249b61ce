"""Commits to a Delta table by its only writer, at a cost that does not grow with the table's log.

delta-rs reads the table's state again at every commit: 15 ms of processor time for ten rows, 50 ms after 200 commits.
On a local lake a commit is one Parquet file and one JSON file, so the writer, which knows the live files, makes them
itself. An object store and what is rare (a new column, a checkpoint, an expiry) go through delta-rs.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from warehouse.failpoints import hit
from warehouse.files import sync
from warehouse.lake.catalog import arrow_schema, primary_key, root_of
from warehouse.lake.commit import APP_ID, commit_rows, distinct_columns, sync_commits, sync_since

_CHECKPOINT_COMMITS = 50
_READ_ROWS = 32 * 1024
_ROW_GROUP_ROWS = 128 * 1024
_ROW_GROUP_BYTES = 16 * 1024 * 1024  # held while it is collected, and again while it is encoded
_WHOLE_BYTES = 64 * 1024 * 1024
_SAMPLE_ROWS = 4096
_SAMPLE_DISTINCT = 0.95
_DICTIONARY_SHARE = 4

Mode = Literal["append", "overwrite"]
Action = dict[str, dict[str, object]]


@dataclass(frozen=True)
class DataFile:
    """A live file. `high` is the greatest LSN in it, None where the log does not say."""

    path: str
    size: int
    rows: int
    high: int | None


class Appender:
    """The writer's view of one table: its version and its live files. Every commit is durable on return.

    `lsn_column` is the column whose greatest value is kept per file.
    """

    def __init__(self, table: DeltaTable, lsn_column: str = "_commit_lsn") -> None:
        self._table = table
        self._lsn_column = lsn_column
        self.root = root_of(table)
        self.local = "://" not in self.root
        self._reload()

    def _reload(self) -> None:
        self.version = self._table.version()
        self.schema = arrow_schema(self._table)
        self._distinct = distinct_columns(primary_key(self._table), self.schema)
        actions = pa.table(self._table.get_add_actions(flatten=True))
        lsn = f"max.{self._lsn_column}"
        highs = actions[lsn].to_pylist() if lsn in actions.column_names else [None] * actions.num_rows
        columns = [actions[name].to_pylist() for name in ("path", "size_bytes", "num_records")]
        found = zip(*columns, highs, strict=True)
        self.files = {path: DataFile(path, size, rows or 0, high) for path, size, rows, high in found}

    @property
    def id(self) -> str:
        """Given when the table was created; no other table has it."""
        return str(self._table.metadata().id)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files.values())

    def through(self, work: Callable[[DeltaTable], object]) -> int:
        """Let delta-rs work on the newest version; returns the version after it."""
        if self._table.version() != self.version:
            self._table.update_incremental()
        work(self._table)
        sync_since(self._table, self.version)
        self._reload()
        return self.version

    def write(self, parts: Iterable[pa.Table], schema: pa.Schema, lsn: int | None, mode: Mode = "append") -> int:
        """Commit rows of this schema and, when given, the table's new LSN; returns the version.

        Columns that the table lacks are added first. An error while `parts` is read leaves no commit.
        """
        if not self.local:
            return self.through(lambda table: commit_rows(table, _reader(parts, schema), lsn, mode=mode, evolve=True))
        self.widen(schema)
        added = self._write(parts, schema)
        hit("cdc.append_mid")
        self._commit("WRITE", list(self.files.values()) if mode == "overwrite" else [], added, lsn)
        return self.version

    def adopt(self, other: "Appender", schema: pa.Schema, lsn: int) -> int:
        """Replace the content by the columns of `schema` of another local table; returns the version."""
        self.widen(schema)
        hit("cdc.adopt_mid")
        return self.share(other.root, list(other.files.values()), list(self.files.values()), lsn)

    def share(self, root: str, added: Sequence[DataFile], removed: Sequence[DataFile], lsn: int | None = None) -> int:
        """Take these files of the local table at `root` in place of `removed`; returns the version.

        They get a second name instead of being written twice. Without `lsn` both hold the same rows.
        """
        for file in added:
            _second_name(Path(root, file.path), Path(self.root, file.path))
        hit("cdc.share_mid")
        self._commit("OPTIMIZE" if lsn is None else "WRITE", removed, added, lsn)
        return self.version

    def widen(self, schema: pa.Schema) -> None:
        """Add the columns of `schema` that the table lacks."""
        if not set(self.schema.names).issuperset(schema.names):
            self.through(lambda table: commit_rows(table, schema.empty_table(), None, evolve=True))

    def join(self, files: Sequence[DataFile]) -> int:
        """Replace these files by one with the same rows; returns the version."""
        if not self.local:
            return self.through(lambda table: table.optimize.compact(target_size=_WHOLE_BYTES))
        added = self._write(self._read(files), self.schema)
        hit("cdc.compact_mid")
        self._commit("OPTIMIZE", files, added, None)
        return self.version

    def _read(self, files: Sequence[DataFile]) -> Iterator[pa.Table]:
        for file in sorted(files, key=lambda file: file.high or 0):
            with pq.ParquetFile(Path(self.root, file.path)) as parquet:
                for batch in parquet.iter_batches(_READ_ROWS):
                    yield _cast(pa.Table.from_batches([batch]), self.schema)

    def _write(self, parts: Iterable[pa.Table], schema: pa.Schema) -> list[DataFile]:
        """One file with these rows; none without rows."""
        grouped = _grouped(parts)
        first = next(grouped, None)
        if first is None:
            return []
        path = f"part-{self.version + 1:08d}-{uuid4()}.parquet"
        place, rows, high = Path(self.root, path), 0, 0
        try:
            with pq.ParquetWriter(place, schema, **self._encodings(first, schema)) as writer:
                for part in chain([first], grouped):
                    writer.write_table(part, row_group_size=_ROW_GROUP_ROWS)
                    rows += part.num_rows
                    if self._lsn_column in schema.names:
                        high = max(high, pc.max(part[self._lsn_column]).as_py() or 0)
        except BaseException:
            place.unlink(missing_ok=True)
            raise
        if rows > _ROW_GROUP_ROWS:
            pa.default_memory_pool().release_unused()  # it would keep the most that was ever needed
        sync(place)
        return [DataFile(path, place.stat().st_size, rows, high or None)]

    def _encodings(self, rows: pa.Table, schema: pa.Schema) -> dict[str, Any]:  # Any: pyarrow's keywords
        """How a file that begins with these rows is written.

        A dictionary where values repeat: making one that does not pay costs more than the column. Other whole numbers,
        times and texts are written as differences or lengths, which leaves the compression half the work.
        """
        repeated = [
            name for name in schema.names
            if rows.num_rows >= _SAMPLE_ROWS and name not in self._distinct and _repeats(rows[name])
        ]  # fmt: skip
        encoded = {field.name: _encoding(field.type) for field in schema if field.name not in repeated}
        return {
            "compression": "zstd",
            "compression_level": 1,
            "use_dictionary": repeated,
            "column_encoding": {name: encoding for name, encoding in encoded.items() if encoding},
            "write_statistics": [name for name in schema.names if name in {*self._distinct, self._lsn_column, "_op"}],
            "store_decimal_as_integer": True,
        }

    def _commit(self, operation: str, removed: Sequence[DataFile], added: Sequence[DataFile], lsn: int | None) -> None:
        now, changes = int(time.time() * 1000), operation == "WRITE"
        info: dict[str, object] = {"timestamp": now, "operation": operation, "operationParameters": {}}
        actions: list[Action] = [{"commitInfo": info | ({"lsn": str(lsn)} if lsn is not None else {})}]
        if lsn is not None:
            actions.append({"txn": {"appId": APP_ID, "version": lsn, "lastUpdated": now}})
        actions += [_remove(file, now, changes) for file in removed]
        actions += [_add(file, self._lsn_column, now, changes) for file in added]
        log = Path(self.root, "_delta_log")
        entry, partial = log / f"{self.version + 1:020d}.json", log / ".next.part"
        partial.unlink(missing_ok=True)  # a killed writer leaves it as a second name of the entry it made
        partial.write_text("".join(json.dumps(action) + "\n" for action in actions), encoding="utf-8")
        try:
            sync(partial)
            os.link(partial, entry)  # fails where the entry exists: then there is a second writer
            hit("cdc.commit_linked")
        finally:
            partial.unlink()
        for folder in (log, log.parent):
            sync(folder)
        self.version += 1
        for file in removed:
            del self.files[file.path]
        self.files |= {file.path: file for file in added}
        if self.version % _CHECKPOINT_COMMITS == 0:
            self.through(DeltaTable.create_checkpoint)
            hit("cdc.checkpoint_mid")
            sync_commits([(self._table, self.version)])


def inserts_between(path: str, after: int, upto: int) -> DataFile | None:
    """A file of a change log, when its footer says that each row is an insert in this range of LSNs."""
    footer = pq.read_metadata(path)
    high = 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        columns = (group.column(at) for at in range(group.num_columns))
        known = {column.path_in_schema: column.statistics for column in columns}
        op, lsn = known.get("_op"), known.get("_commit_lsn")
        if op is None or lsn is None or not (op.has_min_max and lsn.has_min_max) or op.null_count or lsn.null_count:
            return None
        if (op.min, op.max) != ("i", "i") or not after < lsn.min <= lsn.max <= upto:
            return None
        high = max(high, lsn.max)
    return DataFile(Path(path).name, Path(path).stat().st_size, footer.num_rows, high)


def due_for_join(files: Iterable[DataFile], width: int) -> list[DataFile]:
    """Files of about one size, of which there are at least `width`, the smallest first; none when there are too few.

    A joined file belongs to a larger size, so a row is written again once per size, and a table has fewer than `width`
    files of each.
    """
    tiers: dict[int, list[DataFile]] = {}
    for file in files:
        if file.size < _WHOLE_BYTES:
            tiers.setdefault(int(math.log(max(file.rows, 1), width)), []).append(file)
    return next((tiers[tier] for tier in sorted(tiers) if len(tiers[tier]) >= width), [])


def _repeats(values: pa.ChunkedArray) -> bool:
    """Whether a dictionary pays: each value stands for at least four. Most columns without one show it in a sample."""
    if len(pc.unique(values.slice(0, _SAMPLE_ROWS))) > _SAMPLE_DISTINCT * _SAMPLE_ROWS:
        return False
    return len(pc.unique(values)) * _DICTIONARY_SHARE <= len(values)


def _encoding(kind: pa.DataType) -> str | None:
    """How values of this type are written without a dictionary; None is Parquet's plain form."""
    if pa.types.is_string(kind):
        return "DELTA_LENGTH_BYTE_ARRAY"
    whole = pa.types.is_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_date32(kind)
    return "DELTA_BINARY_PACKED" if whole else None


def _second_name(file: Path, name: Path) -> None:
    if name.exists() and name.samefile(file):
        return  # by a writer that was killed before its commit
    try:
        os.link(file, name)
    except OSError:  # a file system without hard links
        shutil.copyfile(file, name)
        sync(name)


def _grouped(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables that are as large as a row group, so that small parts do not become small groups."""
    held: list[pa.Table] = []
    rows = size = 0
    for part in parts:
        held.append(part)
        rows, size = rows + part.num_rows, size + part.nbytes
        if rows >= _ROW_GROUP_ROWS or size >= _ROW_GROUP_BYTES:
            yield pa.concat_tables(held)
            held, rows, size = [], 0, 0
    if rows:
        yield pa.concat_tables(held)


def _reader(parts: Iterable[pa.Table], schema: pa.Schema) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(schema, (batch for part in parts for batch in part.to_batches()))


def _cast(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    have = set(rows.column_names)
    columns = [rows[f.name].cast(f.type) if f.name in have else pa.nulls(rows.num_rows, f.type) for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _add(file: DataFile, lsn_column: str, now: int, data_change: bool) -> Action:
    stats: dict[str, object] = {"numRecords": file.rows}
    if file.high is not None:
        stats["maxValues"] = {lsn_column: file.high}
    return {
        "add": {
            "path": file.path,
            "partitionValues": {},
            "size": file.size,
            "modificationTime": now,
            "dataChange": data_change,
            "stats": json.dumps(stats),
        }
    }


def _remove(file: DataFile, now: int, data_change: bool) -> Action:
    return {
        "remove": {"path": file.path, "deletionTimestamp": now, "dataChange": data_change, "partitionValues": {},
                   "size": file.size, "extendedFileMetadata": True}
    }  # fmt: skip
