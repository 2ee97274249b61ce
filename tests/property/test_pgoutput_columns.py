"""The column-wise decoder against a value-by-value one written from the protocol's description, on generated
messages."""

import struct
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.cdc import lab_contract
from warehouse.cdc.batch import Group, Transactions
from warehouse.cdc.columns import Layout, SchemaMismatch, ValueRefused, decode_few, decode_rows, match_layout
from warehouse.cdc.pgoutput import (
    Begin,
    Commit,
    Message,
    ProtocolError,
    Relation,
    RelationColumn,
    Truncate,
    begun,
    committed,
    parse,
)
from warehouse.contract import parse_contract

TABLE = parse_contract(lab_contract()).by_name["pairs"]
# The stream's column order differs from the contract's, as it does after a migration.
RELATION = Relation(
    42,
    "public",
    "pairs",
    "f",
    (
        RelationColumn("amount", key=False, oid=1700, typmod=((14 << 16) | 4) + 4),
        RelationColumn("a", key=True, oid=2950, typmod=-1),
        RelationColumn("note", key=False, oid=25, typmod=-1),
        RelationColumn("b", key=True, oid=23, typmod=-1),
    ),
)
LAYOUT: Layout = match_layout(TABLE, RELATION)
Values = tuple[str | None, ...]
UNCHANGED = "\0unchanged"

amounts = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9).map(str)
short_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
texts = short_texts | st.builds(lambda text: 30 * text, short_texts)
rows = st.tuples(st.none() | amounts, st.uuids().map(str), st.none() | texts, st.integers(-(2**31), 2**31 - 1).map(str))
changes = st.one_of(
    st.tuples(st.just("I"), st.just(""), st.none(), rows),
    st.tuples(st.just("U"), st.just(""), st.none(), rows),
    st.tuples(st.just("U"), st.just("O"), rows, rows),
    st.tuples(st.just("D"), st.just("O"), rows, st.none()),
    st.tuples(st.just("D"), st.just("K"), rows.map(lambda row: (None, row[1], None, row[3])), st.none()),
)


def tuple_bytes(values: Values) -> bytes:
    """TupleData of the protocol."""
    out = [struct.pack(">H", len(values))]
    for value in values:
        if value is None:
            out.append(b"n")
        elif value == UNCHANGED:
            out.append(b"u")
        else:
            data = value.encode()
            out.append(b"t" + struct.pack(">I", len(data)) + data)
    return b"".join(out)


def message(kind: str, mark: str, old: Values | None, new: Values | None) -> bytes:
    """One Insert, Update or Delete message."""
    parts = [kind.encode(), struct.pack(">I", 42)]
    if old is not None:
        parts += [mark.encode(), tuple_bytes(old)]
    if new is not None:
        parts += [b"N", tuple_bytes(new)]
    return b"".join(parts)


def typed(values: Values) -> dict[str, object]:
    """One tuple as the contract types it."""
    amount, a, note, b = values
    return {
        "a": a,
        "b": None if b is None else int(b),
        "note": note,
        "amount": None if amount is None else Decimal(amount),
    }


def expected(seq: int, kind: str, old: Values | None, new: Values | None) -> list[dict[str, object]]:
    """What one message means."""
    if new is None:
        assert old is not None
        return [typed(old) | {"_op": "d", "_seq": 2 * seq}]
    if old is not None and (old[1], old[3]) != (new[1], new[3]):
        return [typed(old) | {"_op": "d", "_seq": 2 * seq}, typed(new) | {"_op": "i", "_seq": 2 * seq + 1}]
    return [typed(new) | {"_op": "i" if kind == "I" else "u", "_seq": 2 * seq + 1}]


Decode = Callable[[Layout, list[bytes], list[int]], pa.Table]


def many(layout: Layout, payloads: list[bytes], seqs: list[int]) -> pa.Table:
    """A column at a time."""
    return decode_rows(layout, payloads, np.array(seqs))


each_decoder = pytest.mark.parametrize("decode", [many, decode_few])


@each_decoder
@given(st.lists(changes, min_size=1, max_size=25))
def test_the_same_rows_as_value_by_value(
    decode: Decode, history: list[tuple[str, str, Values | None, Values | None]]
) -> None:
    payloads = [message(*change) for change in history]
    found = decode(LAYOUT, payloads, list(range(5, 5 + len(payloads))))
    wanted = [row for seq, (kind, _, old, new) in enumerate(history, start=5) for row in expected(seq, kind, old, new)]
    assert found.to_pylist() == wanted
    assert found.schema == LAYOUT.schema


def test_long_values_take_little_more_memory_than_their_bytes() -> None:
    note = "ü" * 4500
    payloads = [message("I", "", None, ("1.0000", "x", note, str(number))) for number in range(500)]
    tracemalloc.start()
    decoded = decode_rows(LAYOUT, payloads, np.arange(500))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(decoded["note"].to_pylist()) == {note}
    assert peak < 4 * sum(map(len, payloads))


THINGS = parse_contract(lab_contract()).by_name["things"]
THINGS_LAYOUT = match_layout(
    THINGS,
    Relation(
        43,
        "public",
        "things",
        "f",
        tuple(
            RelationColumn(name, key=name == "thing_id", oid=oid, typmod=-1)
            for name, oid in zip(THINGS.names, (2950, 25, 23, 20, 16, 1700, 701, 1184, 1082, 3802, 25), strict=True)
        ),
    ),
)
instants = st.datetimes().map(lambda at: f"{at.isoformat(chr(32))}+00")
things = st.tuples(
    st.uuids().map(str),
    texts,
    st.none() | st.integers(-(2**31), 2**31 - 1).map(str),
    st.none() | st.integers(-(2**63), 2**63 - 1).map(str),
    st.none() | st.sampled_from("tf"),
    st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=10**9).map(str)
    | st.sampled_from(["NaN", "Infinity", "1.005", "12345678901", "0", "7", "-0.5", "1.00"]),
    st.none() | st.floats().map(repr),
    st.none() | instants | st.sampled_from(["infinity", "0044-03-15 00:00:00+00 BC", "2024-02-29 23:59:59.5+00"]),
    st.none() | st.dates().map(str) | st.sampled_from(["-infinity", "0044-03-15 BC", "10000-01-01"]),
    st.none() | texts,
    st.none() | texts,
)  # fmt: skip


def outcome(decode: Decode, payloads: list[bytes]) -> tuple[pa.Table | None, str]:
    """The rows, or why they are refused."""
    try:
        return decode(THINGS_LAYOUT, payloads, list(range(len(payloads)))), ""
    except ValueRefused as error:
        return None, str(error)


@settings(max_examples=300)
@given(st.lists(things, min_size=1, max_size=6))
def test_both_decoders_give_every_type_the_same_value_or_refuse_it_alike(history: list[Values]) -> None:
    payloads = [message("I", "", None, values) for values in history]
    (wanted, why), (found, reason) = outcome(many, payloads), outcome(decode_few, payloads)
    assert (found is None, reason) == (wanted is None, why)
    if found is not None and wanted is not None:
        found.validate(full=True)
        assert repr(found.to_pylist()) == repr(wanted.to_pylist())  # by text, because NaN equals nothing
        assert found.schema == wanted.schema


@given(st.lists(changes, min_size=1, max_size=25), st.integers(1, 25))
def test_few_rows_become_the_same_record_batch_without_tables(
    history: list[tuple[str, str, Values | None, Values | None]], first: int
) -> None:
    """Of two transactions, the second of which begins at message `first`."""
    transactions = Transactions([5, 5 + first], [100, 200], [1_700_000_000_000_001, -1])

    def group() -> Group:
        made = Group(LAYOUT)
        for seq, change in enumerate(history, start=5):
            made.payloads.append(message(*change))
            made.seqs.append(seq)
        return made

    wanted = list(group().rows(transactions, above_lsn=99))
    found = group().few(transactions, above_lsn=99)

    assert found is not None
    assert pa.Table.from_batches([found]).equals(pa.concat_tables(wanted))
    assert found.schema == TABLE.changes_schema
    assert group().few(transactions, above_lsn=100) is None, "rows that the lake may have are left out by `rows`"
    emptied = group()
    emptied.truncate(9)
    assert emptied.few(transactions, above_lsn=99) is None


@each_decoder
@given(rows, texts)
def test_an_unchanged_large_value_comes_from_the_old_row(decode: Decode, row: Values, note: str) -> None:
    old = (row[0], row[1], note, row[3])
    new = ("1.0000", row[1], UNCHANGED, row[3])
    decoded = decode(LAYOUT, [message("U", "O", old, new)], [0])
    assert decoded.to_pylist() == [typed(("1.0000", row[1], note, row[3])) | {"_op": "u", "_seq": 1}]


@each_decoder
def test_an_unchanged_value_without_the_old_row_is_refused(decode: Decode) -> None:
    payload = message("U", "", None, ("1", "x", UNCHANGED, "1"))
    with pytest.raises(ValueRefused, match=r"table pairs, column note: .* REPLICA IDENTITY FULL"):
        decode(LAYOUT, [payload], [0])


@each_decoder
@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1.00001", "99999999999.0"])
def test_a_number_without_exact_place_is_refused(decode: Decode, amount: str) -> None:
    with pytest.raises(ValueRefused, match="table pairs, column amount"):
        decode(LAYOUT, [message("I", "", None, (amount, "x", None, "1"))], [0])


def test_relations_that_do_not_fit_are_named() -> None:
    def relation(*columns: RelationColumn) -> Relation:
        return Relation(42, "public", "pairs", "d", columns)

    a, b = RELATION.columns[1], RELATION.columns[3]
    extra = RelationColumn("colour", key=False, oid=25, typmod=-1)
    with pytest.raises(
        SchemaMismatch, match="table pairs, column colour: published by Postgres but not in the contract"
    ):
        match_layout(TABLE, relation(a, b, extra))
    with pytest.raises(SchemaMismatch, match="table pairs, column b: in the contract but not published"):
        match_layout(TABLE, relation(a))
    with pytest.raises(
        SchemaMismatch,
        match="table pairs, column b: in the contract's primary key but not in Postgres' replica identity",
    ):
        match_layout(TABLE, relation(a, RelationColumn("b", key=False, oid=23, typmod=-1)))
    with pytest.raises(SchemaMismatch, match="table pairs, column b: Postgres type oid 25 is not int4"):
        match_layout(TABLE, relation(a, RelationColumn("b", key=True, oid=25, typmod=-1)))


@given(st.integers(0, 2**63), st.integers(-(2**49), 2**55))
def test_the_short_reading_of_a_transaction_s_ends_agrees_with_the_general_one(lsn: int, micros: int) -> None:
    begin, commit = b"B" + struct.pack(">QqI", lsn, micros, 99), b"C\0" + struct.pack(">QQq", 7, lsn, micros)
    whole, ended = parse(begin), parse(commit)
    assert isinstance(whole, Begin)
    assert isinstance(ended, Commit)
    final, since_1970 = begun(begin)
    assert (final, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since_1970)) == (
        whole.final_lsn,
        whole.commit_ts,
    )
    assert committed(commit) == ended.end_lsn
    for read, payload in ((begun, begin), (committed, commit)):
        for damaged in (payload[:-1], payload + b"x"):
            with pytest.raises(ProtocolError, match="is damaged"):
                read(damaged)


def test_control_messages() -> None:
    moment = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
    micros = int((moment - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
    assert parse(b"B" + struct.pack(">QqI", 7, micros, 99)) == Begin(7, moment, 99)
    assert parse(b"C\0" + struct.pack(">QQq", 7, 9, micros)) == Commit(7, 9, moment)
    assert parse(b"T" + struct.pack(">IB", 2, 0) + struct.pack(">2I", 5, 6)) == Truncate((5, 6))
    assert parse(b"M\1" + struct.pack(">Q", 3) + b"souk\0" + struct.pack(">I", 2) + b"hi") == Message(
        True, 3, "souk", b"hi"
    )
    described = (
        b"R"
        + struct.pack(">I", 42)
        + b"public\0pairs\0f"
        + struct.pack(">H", 1)
        + b"\1a\0"
        + struct.pack(">Ii", 2950, -1)
    )
    assert parse(described) == Relation(
        42, "public", "pairs", "f", (RelationColumn("a", key=True, oid=2950, typmod=-1),)
    )
    assert moment.date() == date(2024, 2, 29)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    try:
        parse(data)
    except ProtocolError:
        return


@given(st.integers(0, 60))
def test_truncated_descriptions_are_protocol_errors(length: int) -> None:
    whole = (
        b"R"
        + struct.pack(">I", 42)
        + b"public\0pairs\0f"
        + struct.pack(">H", 1)
        + b"\1a\0"
        + struct.pack(">Ii", 2950, -1)
    )
    if length < len(whole):
        with pytest.raises(ProtocolError):
            parse(whole[:length])
