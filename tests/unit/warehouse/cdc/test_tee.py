"""One stream, several commits: all of it in each, or none."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from warehouse.cdc.tee import Sink, write_all

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.int64())])


def chunks(count: int, *, break_after: int | None = None) -> Iterator[pa.Table]:
    """Tables of two rows each."""
    for number in range(count):
        if number == break_after:
            raise LookupError("row 7")
        yield pa.table({"a": [number, number], "b": [-number, -number]}, schema=SCHEMA)


def test_every_sink_gets_every_row_of_its_columns() -> None:
    seen: dict[str, pa.Table] = {}

    def keep(name: str, reader: pa.RecordBatchReader) -> int:
        seen[name] = reader.read_all()
        return len(name)

    sinks = [
        Sink(SCHEMA, lambda reader: keep("both", reader)),
        Sink(SCHEMA.remove(1), lambda reader: keep("a", reader)),
    ]
    assert write_all(chunks(9), sinks) == [4, 1]
    assert seen["both"]["b"].to_pylist() == [-number for number in range(9) for _ in range(2)]
    assert seen["a"].column_names == ["a"]


def test_an_error_while_reading_ends_every_sink_without_a_commit() -> None:
    committed: list[int] = []

    def write(reader: pa.RecordBatchReader) -> int:
        committed.append(reader.read_all().num_rows)
        return 0

    with pytest.raises(LookupError, match="row 7"):
        write_all(chunks(9, break_after=7), [Sink(SCHEMA, write), Sink(SCHEMA, write)])
    assert committed == []


def test_a_sink_that_gives_up_stops_the_reading() -> None:
    read: list[int] = []

    def full(_: pa.RecordBatchReader) -> int:
        raise OSError("no space left on device")

    def count() -> Iterator[pa.Table]:
        for chunk in chunks(1000):
            read.append(1)
            yield chunk

    with pytest.raises(OSError, match="no space left"):
        write_all(count(), [Sink(SCHEMA, full), Sink(SCHEMA, lambda reader: reader.read_all().num_rows)])
    assert len(read) < 10
