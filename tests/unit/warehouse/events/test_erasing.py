"""What an account searched for, also as a guest, leaves the lake when it asks for that, and nothing else does."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from api.events.stream import forgetting_of
from tests.unit.warehouse.events.test_landing import HORIZON, NOW, entry, in_lake, open_landing
from warehouse.events.entries import FORGET, Entry, Rejected, row_of
from warehouse.lake.catalog import data_files
from warehouse.lake.read import connect

ACCOUNT, OTHER = UUID(int=77), UUID(int=78)
SEEN = "event_id, query, shown_products, user_id, session_key"
EARLIER = (NOW - timedelta(hours=1)).isoformat()


def asked(number: int) -> Entry:
    fields = forgetting_of(ACCOUNT, NOW) | {"eventId": str(UUID(int=number))}
    return Entry("p", number, f"{number}-0", NOW, {name.encode(): value.encode() for name, value in fields.items()})


def search(number: int, **fields: object) -> Entry:
    said = {"type": "search", "origin": "server", "query": f"q{number}", "products": "p", "receivedAt": EARLIER}
    return entry(number, **{**said, "productId": None, "occurredAt": EARLIER, **fields})


def test_the_searches_of_an_account_and_of_its_sessions_are_erased(tmp_path: Path) -> None:
    later = (NOW + timedelta(minutes=1)).isoformat()
    landing = open_landing(tmp_path)
    landing.land(
        [
            search(1, userId=ACCOUNT, sessionKey="s1"),
            search(2, sessionKey="s1"),
            search(3, userId=OTHER, sessionKey="s1"),
            search(4, sessionKey="s2"),
            search(5, userId=ACCOUNT, receivedAt=later, occurredAt=later),
            entry(6, type="click", query="q6", userId=ACCOUNT, occurredAt=EARLIER, receivedAt=EARLIER),
            entry(7, userId=ACCOUNT, sessionKey="s1", occurredAt=EARLIER, receivedAt=EARLIER),
            search(8, userId=ACCOUNT, position="far"),
        ]
    )
    landing.tidy()
    assert all(query for _, query, *_ in in_lake(tmp_path, SEEN)[:6])

    landing.land([asked(9)])
    landing.tidy()

    account, other = str(ACCOUNT), str(OTHER)
    assert in_lake(tmp_path, SEEN) == [
        (str(UUID(int=1)), None, None, None, None),
        (str(UUID(int=2)), None, None, None, None),
        (str(UUID(int=3)), "q3", "p", other, "s1"),
        (str(UUID(int=4)), "q4", "p", None, "s2"),
        (str(UUID(int=5)), "q5", "p", account, None),
        (str(UUID(int=6)), None, None, account, None),
        (str(UUID(int=7)), None, None, account, "s1"),
        (str(UUID(int=9)), None, None, account, None),
    ]
    with connect() as con:
        for file in data_files(landing.rejected):
            assert con.execute("SELECT count(*) FROM read_parquet(?)", [file]).fetchone() == (0,)


def test_a_process_that_was_killed_before_it_erased_does_so_and_then_no_more(tmp_path: Path) -> None:
    open_landing(tmp_path).land([search(1, userId=ACCOUNT), asked(2)])

    again = open_landing(tmp_path)
    again.tidy()
    assert in_lake(tmp_path, SEEN)[0] == (str(UUID(int=1)), None, None, None, None)
    version = again.events.version()
    again.tidy()
    open_landing(tmp_path).tidy()
    assert open_landing(tmp_path).events.version() == version


def test_what_comes_late_from_a_spool_is_erased_at_the_next_look(tmp_path: Path) -> None:
    landing = open_landing(tmp_path)
    landing.land([asked(1)])
    landing.tidy()
    landing.land([search(2, userId=ACCOUNT)])

    open_landing(tmp_path).tidy()

    assert in_lake(tmp_path, SEEN)[1] == (str(UUID(int=2)), None, None, None, None)


@pytest.mark.parametrize("fields", [{"origin": "client", "userId": ACCOUNT}, {"origin": "server"}])
def test_only_the_shop_asks_and_only_for_an_account(fields: dict[str, object]) -> None:
    with pytest.raises(Rejected, match="only the shop"):
        row_of(entry(1, type=FORGET, productId=None, **fields), NOW, HORIZON)
