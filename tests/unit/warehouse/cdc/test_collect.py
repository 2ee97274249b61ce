"""The stream's messages become batches of whole transactions; what does not fit stops its table and no other."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.harness.cdc import lab_contract
from tests.harness.pgoutput_messages import LINES, PAIRS, begin, commit, line, pair, relation
from warehouse.cdc.collect import Collector, Origin
from warehouse.cdc.pgoutput import ProtocolError
from warehouse.contract import Table, parse_contract

TABLES = parse_contract(lab_contract()).by_name


def collector(tmp_path: Path, spill_bytes: int = 1_000_000, **tables: Table) -> Collector:
    return Collector({**TABLES, **tables}, 100, tmp_path / "spool", spill_bytes)


def fed(into: Collector, *messages: bytes) -> list[bool]:
    return [into.feed(message) for message in messages]


def test_only_a_commit_ends_a_transaction_and_moves_the_position(tmp_path: Path) -> None:
    into = collector(tmp_path)

    assert fed(into, begin(200), relation(LINES), line(1), line(2)) == [False] * 4
    assert (into.open, into.position) == (True, 100)
    assert into.feed(commit(201)) is True
    assert (into.open, into.position) == (False, 201)
    batch = into.take()
    assert (batch.lsn, batch.transactions.end_lsn, batch.transactions.first_seq) == (201, [201], [0])
    assert [len(group.payloads) for group in batch.groups.values()] == [2]


def test_a_batch_holds_several_transactions_and_the_next_begins_empty(tmp_path: Path) -> None:
    into = collector(tmp_path)
    fed(into, begin(200), relation(LINES), line(1), commit(201), begin(300), line(2), line(3), commit(301))

    batch = into.take()
    assert (batch.transactions.first_seq, batch.transactions.end_lsn) == ([0, 1], [201, 301])
    assert into.take().groups == {}
    # The relation is described once a connection, not once a batch.
    fed(into, begin(400), line(4), commit(401))
    assert [len(group.payloads) for group in into.take().groups.values()] == [1]


def test_a_batch_is_never_taken_inside_a_transaction(tmp_path: Path) -> None:
    into = collector(tmp_path)
    into.feed(begin(200))

    with pytest.raises(ProtocolError, match="inside a transaction"):
        into.take()


@pytest.mark.parametrize("messages", [(commit(1),), (begin(1), begin(2)), (begin(1), line(1))])
def test_messages_out_of_order_are_refused(tmp_path: Path, messages: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError):
        fed(collector(tmp_path), *messages)


def test_a_table_that_does_not_fit_stops_alone_at_the_transaction_before(tmp_path: Path) -> None:
    into = collector(tmp_path)
    fed(into, begin(200), relation(LINES), relation(PAIRS), line(1), pair(), commit(201))
    fed(into, begin(300), relation(LINES, more=(("extra", 0, 25, -1),)), line(2), pair(), commit(301))

    batch = into.take()
    [(table, (position, error))] = batch.stopped.items()
    assert (table, position) == ("lines", 201)
    assert "extra" in error
    assert [group.layout.table.name for group in batch.retired] == ["lines"]
    assert [len(group.payloads) for group in batch.groups.values()] == [2]


def test_a_table_that_the_contract_does_not_know_stops(tmp_path: Path) -> None:
    into = collector(tmp_path)
    fed(into, begin(200), relation(LINES, name="strangers"), line(1), commit(201))

    batch = into.take()
    assert batch.groups == {}
    assert "not in the contract" in batch.stopped["strangers"][1]


def test_a_newer_contract_lets_a_changed_table_go_on(tmp_path: Path) -> None:
    document = lab_contract()
    [wider] = [table for table in document["tables"] if table["name"] == "lines"]  # type: ignore[attr-defined]  # JSON
    wider["columns"].append({**wider["columns"][1], "name": "extra", "type": "text"})
    newer = parse_contract(document).by_name["lines"]
    into = Collector(TABLES, 100, tmp_path / "spool", 1_000_000, on_mismatch=lambda relation: newer)

    fed(into, begin(200), relation(LINES, more=(("extra", 0, 25, -1),)), commit(201))

    assert into.take().stopped == {}


def test_the_same_description_again_changes_nothing(tmp_path: Path) -> None:
    into = collector(tmp_path)
    fed(into, begin(200), relation(LINES), line(1), relation(LINES), line(2), commit(201))

    batch = into.take()
    assert batch.retired == []
    assert [len(group.payloads) for group in batch.groups.values()] == [2]


def test_what_exceeds_the_bound_goes_to_disk_and_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "left over").write_text("x")
    into = collector(tmp_path, spill_bytes=100)
    assert not (tmp_path / "spool" / "left over").exists()

    fed(into, begin(200), relation(PAIRS), pair("a" * 60), pair("b" * 60), commit(201))

    [group] = into.take().groups.values()
    assert group.spilled
    assert group.payloads == []


def test_a_table_of_another_schema_is_never_the_table_of_its_name(tmp_path: Path) -> None:
    into = collector(tmp_path)
    fed(into, begin(200), relation(LINES, schema="archive"), line(1), commit(201))

    batch = into.take()
    assert (batch.groups, batch.stopped, batch.lsn) == ({}, {}, 201)


@pytest.mark.parametrize(("read_at", "stopped"), [(150, True), (200, True), (201, False)])
def test_another_relation_under_the_name_stops_the_table_unless_it_was_read_since(
    tmp_path: Path, read_at: int, stopped: bool
) -> None:
    """The log before the table's own snapshot still tells of the relation that had the name before."""
    origins = {"lines": Origin(oid=99, read_at=read_at)}
    into = Collector(TABLES, 100, tmp_path / "spool", 1_000_000, origins=origins)
    fed(into, begin(200), relation(LINES), line(1), commit(202))

    batch = into.take()
    assert batch.groups == {}
    assert ("lines" in batch.stopped) is stopped


def test_the_position_moves_without_a_transaction_and_only_between_two(tmp_path: Path) -> None:
    into = collector(tmp_path)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert [into.skip_to(90, at), into.skip_to(100, at), into.skip_to(150, at)] == [False, False, True]
    batch = into.take()
    assert (batch.lsn, batch.last_commit_ts, batch.groups) == (150, at, {})
    into.feed(begin(200))
    assert into.skip_to(300, at) is False
    into.feed(commit(201))
    assert into.take().last_commit_ts != at


@pytest.mark.parametrize("called", [relation(LINES, name="lines_old"), relation(LINES, schema="archive")])
def test_a_table_that_is_renamed_or_moved_for_a_moment_stops(tmp_path: Path, called: bytes) -> None:
    """The poll of the publication may see it only before and after."""
    origins = {"lines": Origin(oid=LINES, read_at=100)}
    into = Collector(TABLES, 100, tmp_path / "spool", 1_000_000, origins=origins)
    fed(into, begin(200), relation(LINES), line(1), commit(202))
    fed(into, begin(300), called, line(2), commit(302))
    fed(into, begin(400), relation(LINES), line(3), commit(402))

    batch = into.take()
    assert batch.stopped["lines"][0] == 202
    assert "while its rows changed" in batch.stopped["lines"][1]
