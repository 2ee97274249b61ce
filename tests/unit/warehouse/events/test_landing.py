"""Entries of the stream become rows once, whatever was repeated, late, from the future or broken."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema
from hypothesis import given
from hypothesis import strategies as st

from warehouse.events import compaction, landing
from warehouse.events.compaction import Compaction
from warehouse.events.entries import Entry, Landed, Rejected, row_of
from warehouse.events.landing import Landing
from warehouse.events.redis_source import id_of, position_of, sent_at
from warehouse.events.seen import HASH_SQL, SeenIds, hash_of
from warehouse.lake.behaviour import DAY, EVENTS, attach_events, events_uri, rejected_uri
from warehouse.lake.read import connect

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HORIZON = timedelta(days=30)
PRODUCT = "01890000-0000-7000-8000-000000000001"


def entry(number: int, **fields: object) -> Entry:
    """Entry `number` of a stream: a view received now, unless `fields` say otherwise; None leaves a field out."""
    full = {
        "eventId": str(UUID(int=number)),
        "type": "view",
        "productId": PRODUCT,
        "occurredAt": NOW.isoformat(),
        "receivedAt": NOW.isoformat(),
    } | fields
    encoded = {name.encode(): str(value).encode() for name, value in full.items() if value is not None}
    return Entry("p", number, f"{number}-0", NOW, encoded)


def open_landing(lake: Path, now: datetime = NOW) -> Landing:
    return Landing(str(lake), HORIZON, lambda: now)


def in_lake(lake: Path, columns: str = "event_id") -> list[tuple[object, ...]]:
    with connect() as con:
        attach_events(con, lake)
        return con.execute(f"SELECT {columns} FROM behaviour.behaviour_events ORDER BY ALL").fetchall()


def ids(*numbers: int) -> list[tuple[str]]:
    return [(str(UUID(int=number)),) for number in numbers]


def test_an_entry_becomes_the_row_that_it_says() -> None:
    order, user = str(uuid4()), str(uuid4())
    found = row_of(
        entry(
            7, type="purchase", origin="server", userId=user, sessionKey="k", source="mail", campaign="spring",
            position=3, quantity=2, orderId=order, query="lamp", resultCount=0, bot="1", timeSource="server",
        ),
        NOW,
        HORIZON,
    )  # fmt: skip

    assert found == {
        "event_id": str(UUID(int=7)), "origin": "server", "event_type": "purchase", "product_id": PRODUCT,
        "query": "lamp", "user_id": user, "session_key": "k", "source": "mail", "campaign": "spring",
        "list_position": 3, "quantity": 2, "order_id": order, "result_count": 0, "is_bot": True,
        "search_id": None, "relaxed_words": None, "corrected_query": None, "sort": None, "filter_names": None,
        "page": None, "page_size": None, "shown_products": None, "language": None,
        "time_source": "server", "occurred_at": NOW, "received_at": NOW, "landed_at": NOW, "day": NOW.date(),
    }  # fmt: skip


def test_a_search_of_the_shop_has_what_its_answer_was() -> None:
    found = row_of(
        entry(
            8, type="search", origin="server", query="lamp", resultCount=41, relaxed="please", corrected="lamp",
            sort="rating", filters="attr.color,brand", page=2, pageSize=20, products=f"{PRODUCT},{PRODUCT}",
            language="de", searchId=str(UUID(int=9)),
        ),
        NOW,
        HORIZON,
    )  # fmt: skip

    assert {name: found[name] for name in (
        "relaxed_words", "corrected_query", "sort", "filter_names", "page", "page_size", "shown_products", "language",
        "search_id", "result_count",
    )} == {
        "relaxed_words": "please", "corrected_query": "lamp", "sort": "rating", "filter_names": "attr.color,brand",
        "page": 2, "page_size": 20, "shown_products": f"{PRODUCT},{PRODUCT}", "language": "de",
        "search_id": str(UUID(int=9)), "result_count": 41,
    }  # fmt: skip


def test_a_table_of_an_earlier_release_gets_the_new_columns(tmp_path: Path) -> None:
    old = pa.schema([field for field in EVENTS if field.name not in {"page", "language"}]).append(
        pa.field(DAY, pa.date32())
    )
    uri = events_uri(str(tmp_path))
    Path(uri).mkdir(parents=True)
    DeltaTable.create(uri, schema=Schema.from_arrow(old), partition_by=[DAY])

    open_landing(tmp_path).land([entry(8, type="search", query="lamp", page=2, language="de")])

    assert in_lake(tmp_path, "query, page, language") == [("lamp", 2, "de")]


def test_what_was_typed_is_forgotten_once_it_is_old_and_the_search_stays(tmp_path: Path) -> None:
    old = NOW - timedelta(days=20)
    searches = [
        entry(1, type="search", query="a lamp", corrected="lamp", relaxed="a", occurredAt=old.isoformat()),
        entry(2, type="search", query="desk", occurredAt=(NOW - timedelta(days=9)).isoformat()),
        entry(3, occurredAt=old.isoformat()),
    ]
    landing = Landing(str(tmp_path), HORIZON, lambda: NOW, search_log_days=10)
    landing.land(searches)
    position = landing.position("p")

    landing.tidy()

    columns = "event_id, event_type, query, corrected_query, relaxed_words"
    assert in_lake(tmp_path, columns) == [
        (str(UUID(int=1)), "search", None, None, None),
        (str(UUID(int=2)), "search", "desk", None, None),
        (str(UUID(int=3)), "view", None, None, None),
    ]
    # The next batch goes on where this one ended, and knows what landed.
    again = Landing(str(tmp_path), HORIZON, lambda: NOW, search_log_days=10)
    assert again.position("p") == position == 3
    assert again.land(searches).duplicates == 3
    version = again.events.version()
    again.tidy()
    assert again.events.version() == version


def test_an_event_from_the_future_gets_the_time_of_its_receipt() -> None:
    row = row_of(entry(1, occurredAt=(NOW + timedelta(days=9)).isoformat()), NOW, HORIZON)

    assert (row["occurred_at"], row["time_source"], row["day"]) == (NOW, "future", NOW.date())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"eventId": None}, "eventId: missing"),
        ({"eventId": "x"}, "eventId: no UUID"),
        ({"type": "stare"}, "type: not known"),
        ({"type": None}, "type: not known"),
        ({"origin": "moon"}, "origin: not known"),
        ({"productId": "7"}, "productId: no UUID"),
        ({"position": "-1"}, "position: no number"),
        ({"quantity": "2147483648"}, "quantity: no number"),
        ({"quantity": "²"}, "quantity: no number"),
        ({"occurredAt": "yesterday"}, "occurredAt: no time"),
        ({"receivedAt": None}, "receivedAt: missing or in the future"),
        ({"receivedAt": "2026-03-10T12:00:00"}, "receivedAt: missing or in the future"),
        ({"receivedAt": (NOW + timedelta(hours=2)).isoformat()}, "receivedAt: missing or in the future"),
        ({"occurredAt": (NOW - timedelta(days=30, seconds=1)).isoformat()}, "too old"),
    ],
    ids=str,
)
def test_what_is_no_event_is_rejected_by_name(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(Rejected) as refused:
        row_of(entry(1, **fields), NOW, HORIZON)
    assert str(refused.value) == reason


@given(
    fields=st.dictionaries(
        st.sampled_from(["eventId", "type", "occurredAt", "receivedAt", "position", "query"]), st.binary(max_size=40)
    )
)
def test_no_bytes_stop_the_consumer(fields: Mapping[str, bytes]) -> None:
    broken = Entry("p", 1, "1-0", NOW, {name.encode(): value for name, value in fields.items()})

    try:
        row_of(broken, NOW, HORIZON)
    except Rejected:
        json.loads(broken.as_json())


def test_every_id_lands_once_in_the_order_of_the_stream(tmp_path: Path) -> None:
    lake = open_landing(tmp_path)

    first = lake.land([entry(1, query="first"), entry(2), entry(3, eventId=UUID(int=1), query="repeat in the batch")])
    second = lake.land([entry(4, eventId=UUID(int=2), occurredAt=(NOW - timedelta(days=3)).isoformat()), entry(5)])

    assert (first.rows, first.duplicates, first.reached) == (2, 1, {"p": 3})
    assert (second.rows, second.duplicates, second.reached) == (1, 1, {"p": 5})
    assert in_lake(tmp_path, "event_id, query") == [(*ids(1)[0], "first"), (*ids(2)[0], None), (*ids(5)[0], None)]


def test_a_new_process_knows_the_ids_that_others_landed(tmp_path: Path) -> None:
    open_landing(tmp_path).land([entry(number) for number in range(1, 50)])
    next_day = NOW + timedelta(days=1)

    done = open_landing(tmp_path, next_day).land([entry(60, eventId=UUID(int=7)), entry(61)])

    assert (done.rows, done.duplicates) == (1, 1)
    assert open_landing(tmp_path).position("p") == 61


def test_without_the_set_of_ids_repeats_land_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the two tests above."""
    monkeypatch.setattr(SeenIds, "probable", lambda self, hashes: [False] * len(hashes))
    open_landing(tmp_path).land([entry(1)])

    assert open_landing(tmp_path).land([entry(2, eventId=UUID(int=1))]).rows == 1
    assert in_lake(tmp_path) == ids(1, 1)


def test_two_ids_with_one_hash_both_land(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "hash_of", lambda origin, event: 7)
    lake = open_landing(tmp_path)
    lake.land([entry(1)])

    assert lake.land([entry(2), entry(3, eventId=UUID(int=1))]) == Landed(rows=1, duplicates=1, reached={"p": 3})
    assert in_lake(tmp_path) == ids(1, 2)


def test_a_client_cannot_take_the_id_of_the_servers_event(tmp_path: Path) -> None:
    lake = open_landing(tmp_path)

    lake.land([entry(1), entry(2, eventId=UUID(int=1), origin="server")])

    assert in_lake(tmp_path, "origin") == [("client",), ("server",)]


def test_days_are_partitions_by_occurrence_and_late_events_join_theirs(tmp_path: Path) -> None:
    lake = open_landing(tmp_path)
    before_midnight = NOW.replace(hour=0) - timedelta(seconds=1)

    lake.land([entry(1)])
    done = lake.land(
        [entry(2, occurredAt=before_midnight.isoformat()), entry(3, occurredAt="2026-03-10T01:00:00+02:00")]
    )

    assert done.late == 2
    days = {file.split("day=")[1].split("/")[0] for file in DeltaTable(events_uri(tmp_path)).file_uris()}
    assert days == {"2026-03-10", "2026-03-09"}
    assert in_lake(tmp_path, "event_id, (occurred_at AT TIME ZONE 'UTC')::DATE::VARCHAR") == [
        (*ids(1)[0], "2026-03-10"), (*ids(2)[0], "2026-03-09"), (*ids(3)[0], "2026-03-09"),
    ]  # fmt: skip


def test_a_rejected_entry_is_kept_once_with_its_reason_and_bytes(tmp_path: Path) -> None:
    broken = Entry("p", 2, "2-0", NOW, {b"type": b"view", b"query": b"\xff\x00"})
    open_landing(tmp_path).land([entry(1), broken])

    again = open_landing(tmp_path)
    assert again.land([broken, entry(3, eventId="x")]).rejected == 1

    found = duckdb.sql(
        f"SELECT entry_id, reason, fields FROM '{rejected_uri(tmp_path)}/*.parquet' ORDER BY 1"
    ).fetchall()
    assert [row[:2] for row in found] == [("2-0", "not UTF-8"), ("3-0", "eventId: no UUID")]
    assert json.loads(found[0][2]) == {"type": "view", "query": "\\xff\x00"}


def rejected(lake: Path) -> list[str]:
    found = duckdb.sql(f"SELECT entry_id FROM '{rejected_uri(lake)}/*.parquet' ORDER BY 1").fetchall()
    return [str(row[0]) for row in found]


def test_a_stream_that_begins_anew_has_its_rejected_entries_kept(tmp_path: Path) -> None:
    lake = open_landing(tmp_path)
    lake.land([entry(5, eventId="x"), entry(6)])
    assert lake.land([entry(2, eventId="x")]).rejected == 0, "the position of the old stream holds"

    lake.restart("p")
    lake.restart("another")

    lake = open_landing(tmp_path)
    assert lake.land([entry(2, eventId="x"), entry(3)]).rejected == 1
    assert lake.position("p") == 3
    assert rejected(tmp_path) == ["2-0", "5-0"]


def test_entries_that_share_a_position_are_rejected_once_each(tmp_path: Path) -> None:
    """After the last number of a millisecond entries have one position."""
    first, second, third = (
        Entry("p", 7, f"1-{number}", NOW, {b"type": b"stare"}) for number in (1048575, 1048576, 1048577)
    )
    assert open_landing(tmp_path).land([first, second]).rejected == 2
    lake = open_landing(tmp_path)
    assert lake.land([first, second, third]).rejected == 1
    assert lake.land([first, second, third]).rejected == 0
    assert rejected(tmp_path) == ["1-1048575", "1-1048576", "1-1048577"]


def test_events_that_share_a_position_land_once_each(tmp_path: Path) -> None:
    def same_place(number: int) -> Entry:
        return replace(entry(number), position=7)

    lake = open_landing(tmp_path)
    lake.land([same_place(1), same_place(2)])

    assert lake.land([same_place(2), same_place(3)]) == Landed(rows=1, duplicates=1, reached={"p": 7})
    assert in_lake(tmp_path) == ids(1, 2, 3)


def test_the_files_of_rejected_entries_are_joined_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FILES", 2)
    lake = open_landing(tmp_path)
    for number in range(1, 5):
        lake.land([entry(number, eventId="x")])

    lake.tidy()

    assert len(lake.rejected.file_uris()) == 1
    assert open_landing(tmp_path).land([entry(4, eventId="x"), entry(5, eventId="x")]).rejected == 1


def test_every_kind_of_line_break_lands(tmp_path: Path) -> None:
    """A Delta log entry holds the smallest and the largest text of a file as it is."""
    words = [f"desk{mark}lamp" for mark in "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\U0001f6cb"]
    lake = open_landing(tmp_path)
    for number, word in enumerate(words, 1):
        lake.land([entry(number, type="search", query=word)])

    assert in_lake(tmp_path, "query") == sorted((word,) for word in words)


def test_small_files_of_a_day_are_joined_and_no_row_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FILES", 4)
    lake = open_landing(tmp_path)
    for number in range(1, 6):
        lake.tidy()
        lake.land([entry(number)])
        assert len(lake.events.file_uris()) == number
    lake.land([entry(6, occurredAt=(NOW - timedelta(days=2)).isoformat())])

    lake.tidy()

    assert len(lake.events.file_uris()) == 2
    assert in_lake(tmp_path) == ids(*range(1, 7))
    assert open_landing(tmp_path).position("p") == 6


def test_files_that_do_not_fit_into_one_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files of four fifths of the size would be chosen again at each call, and nothing else would ever be done."""
    lake = open_landing(tmp_path)
    for number in range(1, 7):
        lake.land([entry(number)])
    size = min(pa.table(lake.events.get_add_actions())["size_bytes"].to_pylist())
    monkeypatch.setattr(compaction, "FILES", 4)
    monkeypatch.setattr(compaction, "TIERS", (size * 5 // 4,))
    upkeep = Compaction(lake.events, 24)

    assert upkeep.run_next() is False
    assert len(lake.events.file_uris()) == 6

    monkeypatch.setattr(compaction, "TIERS", (size * 5 // 4, size * 5 // 2))
    upkeep = Compaction(lake.events, 24)
    assert [upkeep.run_next() for _ in range(3)] == [True, False, False]
    assert len(lake.events.file_uris()) == 3
    assert in_lake(tmp_path) == ids(*range(1, 7))


def test_old_files_are_deleted_although_there_is_something_to_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "FILES", 2)
    monkeypatch.setattr(compaction, "_FORGET_SECONDS", 0.0)
    lake = open_landing(tmp_path)
    upkeep = Compaction(lake.events, 0)
    for number in range(1, 4):
        lake.land([entry(number)])
    lake.events.optimize.compact()
    for number in range(4, 7):
        lake.land([entry(number)])

    upkeep.run_next()

    assert len(list(Path(events_uri(tmp_path)).rglob("*.parquet"))) == 4
    assert in_lake(tmp_path) == ids(*range(1, 7))


def test_python_and_duckdb_hash_an_id_to_the_same_number() -> None:
    event = str(uuid4())

    found = duckdb.sql(f"SELECT {HASH_SQL} FROM (SELECT 'client' AS origin, '{event}' AS event_id)").fetchall()

    assert found == [(hash_of("client", event),)]


def test_ids_are_forgotten_after_the_horizon_and_not_before() -> None:
    seen = SeenIds(HORIZON)
    seen.add(NOW.date() - timedelta(days=31), [1, 5])
    seen.add(NOW.date() - timedelta(days=32), [2])
    seen.add(NOW.date(), [9, 3])
    seen.add(NOW.date(), [4, 2**64 - 1])

    seen.expire(NOW.date())

    assert seen.probable([0, 1, 2, 3, 4, 5, 9, 10, 2**64 - 1]) == [
        False,
        True,
        False,
        True,
        True,
        True,
        True,
        False,
        True,
    ]
    assert len(seen) == 6


@pytest.mark.parametrize("name", ["0-0", "1764150000000-0", "1764150000000-1048575"])
def test_entry_ids_are_numbers_in_the_same_order(name: str) -> None:
    assert id_of(position_of(name)) == name
    assert position_of("1764150000000-1048575") < position_of("1764150000001-0")


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("1764150000000-1048576", "1764150000000-1048575"),
        ("1764150000000-18446744073709551615", "1764150000000-1048575"),
        ("18446744073709551615-18446744073709551615", "8796093022207-1048575"),
    ],
)
def test_an_entry_id_beyond_the_last_number_has_the_last_position_and_is_read_again(name: str, last: str) -> None:
    """A clock that was set back makes Redis number on within one millisecond."""
    assert id_of(position_of(name)) == last
    assert sent_at(name.encode()).tzinfo is UTC
