"""Rows of one relation to Arrow: many a column at a time (`decode_rows`), a few a row at a time (`decode_few`).

All messages of a batch are joined into one byte buffer and split with vectorised arithmetic: for column j the position
of every row's value is known once column j-1 is split, so the Python interpreter runs per column, never per value.
Arrow casts the values. Shape suffixes: _N rows of the batch, _C columns of the relation.
"""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from struct import Struct

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.cdc.pgoutput import Relation
from warehouse.contract import Column, Table

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_UNCHANGED, _TEXT, _NULL = ord("u"), ord("t"), ord("n")
_KEY, _OLD = ord("K"), ord("O")
_DELETE, _UPDATE = ord("D"), ord("U")
_LONG_BYTES = 48
LONG = pa.int64()
_SIZE = Struct(">I").unpack_from
ROW_FIELDS = (pa.field("_op", pa.string()), pa.field("_seq", pa.int64()))


class SchemaMismatch(ValueError):
    """A relation that the contract does not describe. The message names table and column."""


class ValueRefused(ValueError):
    """A value that the lake cannot hold exactly or the server did not send. The message names table and column."""


@dataclass(frozen=True)
class Layout:
    """How a relation's tuples fill a contract table.

    `places` gives for each contract column its index in the tuple, None when the tuple lacks it.
    """

    table: Table
    relation: Relation
    places: tuple[int | None, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema([*self.table.data_schema, *ROW_FIELDS])

    @cached_property
    def key_places(self) -> tuple[int, ...]:
        return tuple(self.relation.names.index(name) for name in self.table.primary_key)


def match_layout(table: Table, relation: Relation) -> Layout:
    """Raises SchemaMismatch when Postgres has a column that the contract lacks, has another type, or lacks a required
    column.
    """
    places = {column.name: index for index, column in enumerate(relation.columns)}
    for column in relation.columns:
        if column.name not in table.names:
            raise SchemaMismatch(
                f"table {table.name}, column {column.name}: published by Postgres but not in the contract"
            )
    for wanted in table.columns:
        index = places.get(wanted.name)
        if index is None:
            if wanted.nullable and wanted.name not in table.primary_key:
                continue
            raise SchemaMismatch(
                f"table {table.name}, column {wanted.name}: in the contract but not published by Postgres"
            )
        problem = wanted.mismatch(relation.columns[index].oid, relation.columns[index].typmod)
        if problem:
            raise SchemaMismatch(f"table {table.name}, column {wanted.name}: {problem}")
    unkeyed = [column.name for column in relation.columns if column.name in table.primary_key and not column.key]
    if unkeyed:
        raise SchemaMismatch(
            f"table {table.name}, column {unkeyed[0]}: in the contract's primary key but not in Postgres' replica"
            " identity"
        )
    return Layout(table, relation, tuple(places.get(column.name) for column in table.columns))


@dataclass(frozen=True)
class Tuples:
    """Where the values of some tuples lie: `kinds_CN`, `starts_CN`, `lengths_CN` and the position after each
    tuple, `ends_N`."""

    kinds_CN: Bytes
    starts_CN: Ints
    lengths_CN: Ints
    ends_N: Ints

    def rows(self, index: Ints) -> "Tuples":
        return Tuples(self.kinds_CN[:, index], self.starts_CN[:, index], self.lengths_CN[:, index], self.ends_N[index])


class RowBuffer:
    """The joined messages of one relation, and the code that splits them."""

    def __init__(self, payloads: list[bytes]) -> None:
        self.raw = b"".join([*payloads, b"\0" * 8])
        self.bytes = np.frombuffer(self.raw, dtype=np.uint8)
        # Unaligned big-endian windows over every byte position, so that one gather reads a whole length.
        self._u4 = np.ndarray((len(self.raw) - 3,), dtype=">u4", buffer=self.raw, strides=(1,))
        lengths = np.fromiter(map(len, payloads), dtype=np.int64, count=len(payloads))
        self.starts_N: Ints = np.cumsum(lengths) - lengths

    def split(self, at_N: Ints, columns: int) -> Tuples:
        """Split the tuples that begin (column count first) at these positions."""
        count = len(at_N)
        kinds = np.empty((columns, count), dtype=np.uint8)
        starts = np.empty((columns, count), dtype=np.int64)
        lengths = np.zeros((columns, count), dtype=np.int64)
        position = at_N + 2
        for j in range(columns):
            kind = self.bytes[position]
            kinds[j] = kind
            filled = kind == _TEXT
            size = self._u4[position + 1].astype(np.int64)
            size[~filled] = 0
            starts[j] = position + 5
            lengths[j] = size
            position = position + 1 + size + 4 * filled
        return Tuples(kinds, starts, lengths, position)

    def strings(self, tuples: Tuples, place: int) -> pa.Array:
        """Column `place` of these tuples as Arrow strings, null where the server sent NULL."""
        lengths, count = tuples.lengths_CN[place], tuples.kinds_CN.shape[1]
        offsets = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        total = int(offsets[-1])
        if total >= 2**31:
            raise ValueRefused("more than 2 GiB of one column in one batch")
        data = self._gather(tuples.starts_CN[place], lengths, offsets)
        valid = tuples.kinds_CN[place] == _TEXT
        nulls = count - int(np.count_nonzero(valid))
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes()) if nulls else None
        return pa.StringArray.from_buffers(
            count, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data), bitmap, nulls
        )

    def _gather(self, starts: Ints, lengths: Ints, offsets: Ints) -> bytes | Bytes:
        """These slices of the buffer, one after another.

        Values of one length, such as identifiers and times, are copied as items of that size. Other short values are
        gathered by an index array. For long values that would take 16 bytes of memory per byte, and Python's own slices
        are faster.
        """
        total, width = int(offsets[-1]), int(lengths.max(initial=0))
        filled = lengths > 0
        if width and total == width * int(np.count_nonzero(filled)):
            items = np.ndarray((len(self.raw) - width + 1,), dtype=f"V{width}", buffer=self.raw, strides=(1,))
            gathered: Bytes = items[starts[filled]].view(np.uint8)
            return gathered
        if total > _LONG_BYTES * len(lengths):
            return b"".join(
                [self.raw[start:end] for start, end in zip(starts.tolist(), (starts + lengths).tolist(), strict=True)]
            )
        source = np.repeat(starts - offsets[:-1], lengths)
        source += np.arange(total, dtype=np.int64)
        return self.bytes[source]


def decode_rows(layout: Layout, payloads: list[bytes], seqs: Ints) -> pa.Table:
    """Insert, Update and Delete messages of one relation to change rows in stream order.

    `seqs` are the messages' numbers; a row's `_seq` is 2n + 1, a delete's 2n, so that a changed key becomes a
    delete and an insert in that order. Columns: the contract's, then `_op` (i, u, d) and `_seq`. Raises
    ValueRefused.
    """
    buffer, width = RowBuffer(payloads), len(layout.relation.columns)
    ops, marks = buffer.bytes[buffer.starts_N], buffer.bytes[buffer.starts_N + 5]
    old_rows = np.flatnonzero((marks == _KEY) | (marks == _OLD))
    old = buffer.split(buffer.starts_N[old_rows] + 6, width)
    new_at = buffer.starts_N + 6
    new_at[old_rows] = old.ends_N + 1
    new_rows = np.flatnonzero(ops != _DELETE)
    new = buffer.split(new_at[new_rows], width)

    old_of = np.full(len(payloads), -1, dtype=np.int64)
    old_of[old_rows] = np.arange(len(old_rows))
    _fill_unchanged(layout, new, old, old_of[new_rows], marks[new_rows])
    moved = _moved_keys(layout, buffer, new, old, old_of[new_rows])
    new_ops = np.where((ops[new_rows] == _UPDATE) & ~moved, "u", "i")
    upserts = _rows(layout, buffer, new, new_ops, 2 * seqs[new_rows] + 1)

    gone = np.concatenate([np.flatnonzero(ops == _DELETE), new_rows[moved]])
    if not len(gone):
        return upserts
    deletes = _rows(layout, buffer, old.rows(old_of[gone]), np.full(len(gone), "d"), 2 * seqs[gone])
    rows = pa.concat_tables([upserts, deletes])
    return rows.take(pc.sort_indices(rows["_seq"]))


Cell = bytes | None
_LEFT_OUT = b"\0left out"  # an unchanged value that was not sent; no value of Postgres holds a NUL


def decode_few(layout: Layout, payloads: Sequence[bytes], seqs: Sequence[int]) -> pa.Table:
    """The same rows as `decode_rows`. Cheaper below some dozens of rows, where that one pays for its array
    operations; raises ValueRefused."""
    columns, numbers = few_columns(layout, payloads, seqs)
    return pa.Table.from_arrays([*columns, longs(numbers)], schema=layout.schema)


def few_columns(layout: Layout, payloads: Sequence[bytes], seqs: Sequence[int]) -> tuple[list[pa.Array], list[int]]:
    """The contract's columns and `_op` of the rows, and their `_seq`; raises ValueRefused."""
    width = len(layout.relation.columns)
    found: list[tuple[list[Cell], str, int]] = []
    for payload, seq in zip(payloads, seqs, strict=True):
        op, mark, at = payload[0], payload[5], 6
        old: list[Cell] | None = None
        if mark in (_KEY, _OLD):
            old, at = _cells(payload, at, width)
            at += 1
        if op == _DELETE:
            found.append((old or [], "d", 2 * seq))
            continue
        new, _ = _cells(payload, at, width)
        if _LEFT_OUT in new:
            _fill(layout, new, old if mark == _OLD else None)
        moved = old is not None and any(
            new[place] != old[place] and new[place] is not None and old[place] is not None
            for place in layout.key_places
        )
        if moved and old is not None:
            found.append((old, "d", 2 * seq))
        found.append((new, "u" if op == _UPDATE and not moved else "i", 2 * seq + 1))
    arrays = [
        pa.nulls(len(found), column.arrow)
        if place is None
        else _array(layout.table, column, [None if row[place] is _LEFT_OUT else row[place] for row, _, _ in found])
        for column, place in zip(layout.table.columns, layout.places, strict=True)
    ]
    letters = "".join([op for _, op, _ in found]).encode()
    offsets = pa.py_buffer(array("i", range(len(found) + 1)))
    arrays.append(pa.Array.from_buffers(_STRING, len(found), [None, offsets, pa.py_buffer(letters)]))
    return arrays, [seq for *_, seq in found]


def longs(values: list[int], kind: pa.DataType = LONG) -> pa.Array:
    """`pa.array` of a type of 64 bits, for a few values."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(array("q", values))])


def _cells(payload: bytes, at: int, width: int) -> tuple[list[Cell], int]:
    """The values of the tuple that begins (column count first) at this place, and the place after it."""
    cells: list[Cell] = []
    at += 2
    for _ in range(width):
        kind = payload[at]
        if kind == _TEXT:
            start = at + 5
            at = start + _SIZE(payload, at + 1)[0]
            cells.append(payload[start:at])
        else:
            cells.append(None if kind == _NULL else _LEFT_OUT)
            at += 1
    return cells, at


def _fill(layout: Layout, new: list[Cell], old: list[Cell] | None) -> None:
    """Insert the old row's value where an UPDATE omitted an unchanged TOASTed one (in place)."""
    for place, cell in enumerate(new):
        if cell is _LEFT_OUT:
            if old is None:
                raise ValueRefused(_left_out(layout, place))
            new[place] = old[place]


def _left_out(layout: Layout, place: int) -> str:
    table = layout.table.name
    return (
        f"table {table}, column {layout.relation.columns[place].name}: an update left its large value out;"
        f" ALTER TABLE {table} REPLICA IDENTITY FULL sends it"
    )


def _array(table: Table, column: Column, cells: list[Cell]) -> pa.Array:
    """The same as `cast`. From the buffers, because for a few values Arrow's converters cost ten times the values."""
    kind = column.type
    try:
        if kind in _LETTERS:
            numbers = array(_LETTERS[kind], [0 if cell is None else int(cell) for cell in cells])
            return _from_buffers(column.arrow, cells, pa.py_buffer(numbers))
        if kind in _WIDTHS:
            blank, precision, scale = bytes(_WIDTHS[kind]), column.precision or 0, column.scale or 0
            values = [blank if cell is None else _packed(kind, cell, precision, scale) for cell in cells]
            return _from_buffers(column.arrow, cells, pa.py_buffer(b"".join(values)))
    except ValueError:  # not the usual form: the general way takes it or says what is wrong with it
        return cast(table, column, pa.array(cells, pa.string()))
    texts = [cell or b"" for cell in cells]
    offsets = array("i", accumulate(map(len, texts), initial=0))
    text = _from_buffers(_STRING, cells, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))
    return text if column.arrow == _STRING else cast(table, column, text)


_STRING = pa.string()
_LETTERS = {"int4": "i", "int8": "q"}  # of the array module
_WIDTHS = {"timestamptz": 8, "date": 4, "numeric": 16}
_NUMBER = re.compile(rb"(-?)(\d+)(?:\.(\d+))?")
_FIRST_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(4096)
def _packed(kind: str, cell: bytes, precision: int, scale: int) -> bytes:
    """A value as Arrow holds it, kept because the rows of a transaction share their times and many their amounts.

    Raises ValueError for a form that Postgres writes rarely, such as infinity.
    """
    if kind == "timestamptz":
        return ((datetime.fromisoformat(cell.decode()) - _EPOCH) // _MICROSECOND).to_bytes(8, "little", signed=True)
    if kind == "date":
        return (date.fromisoformat(cell.decode()).toordinal() - _FIRST_DAY).to_bytes(4, "little", signed=True)
    number = _NUMBER.fullmatch(cell)
    if number is None:
        raise ValueError(cell)
    sign, whole, fraction = number.groups()
    digits = whole + (fraction or b"").ljust(scale, b"0")
    if len(fraction or b"") > scale or len(digits) > precision:
        raise ValueError(cell)
    return int(sign + digits).to_bytes(16, "little", signed=True)


def _from_buffers(kind: pa.DataType, cells: list[Cell], *buffers: pa.Buffer) -> pa.Array:
    valid = None
    if None in cells:
        bits = sum(1 << at for at, cell in enumerate(cells) if cell is not None)
        valid = pa.py_buffer(bits.to_bytes((len(cells) + 7) // 8, "little"))
    return pa.Array.from_buffers(kind, len(cells), [valid, *buffers])


def truncate_row(layout: Layout, seq: int) -> pa.Table:
    """The one row (`_op` t, no key) that empties the table at its position."""
    return pa.Table.from_pylist([{"_op": "t", "_seq": 2 * seq}], schema=layout.schema)


def _fill_unchanged(layout: Layout, new: Tuples, old: Tuples, old_of: Ints, marks: Bytes) -> None:
    """Insert the old tuple's slice where an UPDATE omitted an unchanged TOASTed value (in place)."""
    unchanged = new.kinds_CN == _UNCHANGED
    if not unchanged.any():
        return
    for j in np.flatnonzero(unchanged.any(axis=1)):
        rows = np.flatnonzero(unchanged[j])
        if (marks[rows] != _OLD).any():
            raise ValueRefused(_left_out(layout, int(j)))
        new.kinds_CN[j, rows] = old.kinds_CN[j, old_of[rows]]
        new.starts_CN[j, rows] = old.starts_CN[j, old_of[rows]]
        new.lengths_CN[j, rows] = old.lengths_CN[j, old_of[rows]]


def _moved_keys(layout: Layout, buffer: RowBuffer, new: Tuples, old: Tuples, old_of: Ints) -> Mask:
    """Which updates changed the primary key."""
    moved = np.zeros(len(old_of), dtype=np.bool_)
    rows = np.flatnonzero(old_of >= 0)
    if len(rows):
        before, after = old.rows(old_of[rows]), new.rows(rows)
        for place in layout.key_places:
            differ = pc.not_equal(buffer.strings(before, place), buffer.strings(after, place))
            moved[rows] |= np.asarray(pc.coalesce(differ, pa.scalar(value=False)))
    return moved


def _rows(layout: Layout, buffer: RowBuffer, tuples: Tuples, ops: npt.NDArray[np.str_], seqs: Ints) -> pa.Table:
    arrays = []
    for column, place in zip(layout.table.columns, layout.places, strict=True):
        if place is None:
            arrays.append(pa.nulls(len(seqs), column.arrow))
        else:
            arrays.append(cast(layout.table, column, buffer.strings(tuples, place)))
    return pa.Table.from_arrays([*arrays, pa.array(ops, pa.string()), pa.array(seqs, pa.int64())], schema=layout.schema)


def cast(table: Table, column: Column, values: pa.Array) -> pa.Array:
    """Postgres text output to the contract's Arrow type, exactly.

    Raises ValueRefused for a value that does not fit (NaN, infinity, BC).
    """
    if column.arrow == pa.string():
        return values
    try:
        if column.type == "bool":
            return pc.equal(values, "t")
        return pc.cast(values, column.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueRefused(f"table {table.name}, column {column.name}: {error}") from error
