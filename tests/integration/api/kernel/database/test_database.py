"""Connections to a real Postgres: what a session is, what it sends, and what happens when it is lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from sqlalchemy import text

from api.app import create_app
from api.kernel import connection as connection_module
from api.kernel.db import Database, Query, Tx, all_as, first_as, is_unavailable
from api.kernel.pool import NoConnection
from tests.harness.database import opened, settings_of
from tests.harness.postgres import running_postgres
from tests.harness.shop import problem
from tests.harness.wire import watched_wire

PID = text("SELECT pg_backend_pid()")
SLEEP = text("SELECT pg_sleep(:seconds)::text")
Work = Callable[[Tx], Awaitable[None]]
KEEP = text("INSERT INTO kept VALUES (:id, :note)")
ONE = text("SELECT note FROM kept WHERE id = :id")
ALL = text("SELECT id, note FROM kept ORDER BY id")
ECHO = text(
    "SELECT CAST(:ids AS uuid[]), CAST(:note AS text), CAST(:notes AS text[]), CAST(:others AS uuid[]),"
    " CAST(:number AS int), CAST(:days AS date[]), CAST(:sums AS numeric[]), CAST(:counts AS bigint[])"
)
RAISE = text("UPDATE kept SET id = id + 10 WHERE id = :id RETURNING id")


@dataclass(frozen=True, slots=True)
class Kept:
    id: int
    note: str | None


class Admin:
    """Another session, which looks at the server and disturbs it."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self.sql = connection

    def rows(self) -> list[tuple[object, ...]]:
        return self.sql.execute("SELECT id, note FROM kept ORDER BY id").fetchall()

    def sessions(self, condition: str = "true") -> list[tuple[object, ...]]:
        """Sessions of the shop: pid and state."""
        return self.sql.execute(
            "SELECT pid, state FROM pg_stat_activity WHERE application_name = 'souk-api'"
            f" AND datname = current_database() AND {condition} ORDER BY pid"
        ).fetchall()

    def terminate(self, condition: str = "true") -> int:
        """End sessions of the shop as an administrator does; returns when they are gone."""
        ended = [pid for pid, _ in self.sessions(condition)]
        for pid in ended:
            self.sql.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        return len(ended)


@pytest.fixture
def admin(database_url: str) -> Iterator[Admin]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept (id int PRIMARY KEY, note text)")
        yield Admin(connection)


@pytest.fixture
async def database(database_url: str, admin: Admin) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


async def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def keep(tx: Tx, id: int, note: str | None = None) -> None:  # noqa: A002 - the column's name
    await tx.execute(KEEP, {"id": id, "note": note})


async def test_a_session_is_ours_in_utc_with_timeouts_and_the_reader_cannot_write(
    database_url: str, admin: Admin
) -> None:
    limits = {"SOUK_DB_STATEMENT_TIMEOUT_MS": 1234, "SOUK_DB_LOCK_TIMEOUT_MS": 567}
    async with opened(database_url, **limits, SOUK_DB_IDLE_IN_TRANSACTION_TIMEOUT_MS=8910) as database:
        timeouts = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
        names = ["application_name", "TimeZone", *timeouts, "default_transaction_read_only"]
        shown = text("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
        async with database.read() as tx:
            assert await tx.first(shown) == ("souk-api", "UTC", "1234ms", "567ms", "8910ms", "on")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await tx.execute(KEEP, {"id": 1, "note": None})
        async with database.read(consistent=True) as tx:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await tx.execute(KEEP, {"id": 1, "note": None})
        async with database.autocommit() as writer:
            assert await writer.first(shown) == ("souk-api", "UTC", "1234ms", "567ms", "8910ms", "off")
    assert admin.rows() == []


async def test_one_statement_is_one_round_trip_and_begin_travels_with_the_first(database: Database) -> None:
    with watched_wire() as wire:
        async with database.read() as tx:
            await tx.all(ALL)
        await database.once(KEEP, {"id": 1, "note": "a"})
        await database.run(lambda tx: keep(tx, 2))
        await database.run_alone(lambda tx: keep(tx, 3), "SERIALIZABLE")
        async with database.read(consistent=True) as tx:
            await tx.all(ALL)
            await tx.all(ALL)
        async with database.transaction():
            pass

    verbs = [[sql.split(" (")[0].replace("\n", " ") for sql in trip] for trip in wire.trips]
    kept, read = "INSERT INTO kept VALUES", "SELECT id, note FROM kept ORDER BY id"
    assert verbs == [
        [read],
        [kept],
        ["BEGIN", kept],
        ["COMMIT"],
        ["BEGIN ISOLATION LEVEL SERIALIZABLE", kept, "COMMIT"],
        ["BEGIN ISOLATION LEVEL REPEATABLE READ", read],
        [read],
        ["COMMIT"],
    ]


async def test_a_batch_is_one_round_trip_and_one_transaction(database: Database, admin: Admin) -> None:
    def kept(id: int, note: str) -> Query[list[Kept]]:  # noqa: A002 - the column's name
        return all_as(Kept, text("INSERT INTO kept VALUES (:id, :note) RETURNING id, note"), {"id": id, "note": note})

    with watched_wire() as wire:
        async with database.autocommit() as tx:
            one, first, both, none = await tx.batch(
                kept(1, "a"),
                first_as(Kept, ALL),
                all_as(Kept, ALL),
                first_as(Kept, text("SELECT * FROM kept WHERE false")),
            )
    assert (one, first, both, none) == ([Kept(1, "a")], Kept(1, "a"), [Kept(1, "a")], None)
    assert len(wire.trips) == 1

    async with database.autocommit() as tx:
        with pytest.raises(psycopg.errors.UniqueViolation) as refused:
            await tx.batch(kept(2, "b"), kept(1, "again"), kept(3, "c"))
    assert refused.value.diag.constraint_name == "kept_pkey"
    assert admin.rows() == [(1, "a")], "when one fails none counts"

    async with database.transaction() as tx:
        assert await tx.batch(kept(4, "d"), kept(5, "e")) == ([Kept(4, "d")], [Kept(5, "e")])
        assert admin.rows() == [(1, "a")], "a batch in a transaction is committed with it"
    assert admin.rows() == [(1, "a"), (4, "d"), (5, "e")]


async def test_lists_arrive_as_they_were_sent_next_to_other_values(database: Database) -> None:
    one, two = UUID(int=1), UUID("01890000-0000-7000-8000-ffffffffffff")
    lists: list[list[UUID | None]] = [[one, two], [None, two], [None], [], [two] * 300]
    async with database.read() as tx:
        for ids in lists:
            for others in reversed(lists):
                values = {
                    "ids": ids, "note": "a,b", "notes": ["x", None, 'a"b'], "others": others, "number": 7,
                    "days": [date(2026, 1, 2)], "sums": [Decimal("1.50"), None], "counts": [len(ids), 2**40],
                }  # fmt: skip
                assert await tx.first(ECHO, values) == tuple(values.values())


async def test_a_block_that_raises_leaves_nothing(database: Database, admin: Admin) -> None:
    async def raises(tx: Tx) -> None:
        await keep(tx, 1)
        raise RuntimeError("no")

    async def fails(tx: Tx) -> None:
        await keep(tx, 1)
        await keep(tx, 1)

    async def swallows(tx: Tx) -> None:
        with pytest.raises(psycopg.errors.UniqueViolation):
            await fails(tx)

    errors: dict[Work, type[Exception]] = {
        raises: RuntimeError,
        fails: psycopg.errors.UniqueViolation,
        swallows: psycopg.errors.InFailedSqlTransaction,
    }
    for work, error in errors.items():
        with pytest.raises(error):
            await database.run(work)

    assert admin.rows() == []
    await eventually(lambda: admin.sessions("state <> 'idle'") == [])
    await database.run(lambda tx: keep(tx, 1))
    assert len(admin.sessions()) == 1, "the connection was good enough to be used again"


async def test_two_statements_cannot_share_a_transaction_that_is_sent_whole(database: Database, admin: Admin) -> None:
    async def two(tx: Tx) -> None:
        await keep(tx, 1)
        await keep(tx, 2)

    with pytest.raises(AssertionError, match="one statement"):
        await database.run_alone(two, "SERIALIZABLE")


async def test_a_serialization_failure_is_tried_again(database: Database, admin: Admin) -> None:
    """The work runs once for each attempt, and counts once."""
    await database.run(lambda tx: keep(tx, 1, "start"))
    seen: list[object] = []

    async def work(tx: Tx) -> None:
        seen.append(await tx.scalar(ONE, {"id": 1}))
        if len(seen) == 1:
            admin.sql.execute("UPDATE kept SET note = 'other' WHERE id = 1")
        await tx.execute(text("UPDATE kept SET note = note || :mine WHERE id = 1"), {"mine": " and mine"})

    await database.run(work, "SERIALIZABLE")

    assert seen == ["start", "other"]
    assert admin.rows() == [(1, "other and mine")]


async def test_a_serialization_failure_of_one_round_trip_is_tried_again(
    database: Database, admin: Admin, database_url: str
) -> None:
    await database.run(lambda tx: keep(tx, 1, "start"))
    change = text("UPDATE kept SET note = note || :mine WHERE id = 1 RETURNING note")
    with watched_wire() as wire, psycopg.connect(database_url) as other:
        other.execute("UPDATE kept SET note = 'other' WHERE id = 1")
        changing = asyncio.ensure_future(database.once(change, {"mine": " and mine"}, "SERIALIZABLE"))
        await eventually(lambda: admin.sessions("wait_event_type = 'Lock'") != [])
        other.commit()
        assert await changing == ("other and mine",)

    assert [[sql.split()[0] for sql in trip] for trip in wire.trips] == [
        ["BEGIN", "UPDATE", "COMMIT"], ["ROLLBACK"], ["BEGIN", "UPDATE", "COMMIT"],
    ]  # fmt: skip
    assert admin.rows() == [(1, "other and mine")]


async def test_limits_of_time_end_a_statement_and_not_the_session(database_url: str, admin: Admin) -> None:
    admin.sql.execute("INSERT INTO kept VALUES (1, 'a')")
    limits = {"SOUK_DB_STATEMENT_TIMEOUT_MS": 150, "SOUK_DB_LOCK_TIMEOUT_MS": 50}
    async with opened(database_url, **limits) as database:
        async with database.read() as tx:
            pid = await tx.scalar(PID)
            with pytest.raises(psycopg.errors.QueryCanceled) as late:
                await tx.scalar(SLEEP, {"seconds": 2})
        assert is_unavailable(late.value)
        with admin.sql.transaction():
            admin.sql.execute("UPDATE kept SET note = 'b' WHERE id = 1")
            with pytest.raises(psycopg.errors.LockNotAvailable) as locked:
                await database.once(RAISE, {"id": 1})
        assert is_unavailable(locked.value)
        async with database.read() as tx:
            assert await tx.scalar(PID) == pid


@pytest.mark.sockets
async def test_a_transaction_that_idles_is_ended_and_its_connection_replaced(database_url: str, admin: Admin) -> None:
    async def idle_then_keep(tx: Tx) -> None:
        await keep(tx, 1)
        await asyncio.sleep(0.3)
        await keep(tx, 2)

    async with opened(database_url, SOUK_DB_IDLE_IN_TRANSACTION_TIMEOUT_MS=50, SOUK_DB_POOL_SIZE=1) as database:
        with pytest.raises(psycopg.OperationalError) as ended:
            await database.run(idle_then_keep)
        assert is_unavailable(ended.value)
        await database.run(lambda tx: keep(tx, 3))
    assert admin.rows() == [(3, None)]


@pytest.mark.sockets
async def test_a_commit_that_was_not_confirmed_is_an_error(database_url: str, admin: Admin) -> None:
    async def keep_then_idle(tx: Tx) -> None:
        await keep(tx, 1)
        await asyncio.sleep(0.3)

    async with opened(database_url, SOUK_DB_IDLE_IN_TRANSACTION_TIMEOUT_MS=50) as database:
        with pytest.raises(psycopg.OperationalError):
            await database.run(keep_then_idle)
    assert admin.rows() == []


@pytest.mark.sockets
async def test_a_session_that_the_server_closed_is_replaced_before_anybody_notices(
    database: Database, admin: Admin
) -> None:
    async with database.read() as tx, database.autocommit() as writer:
        before = {await tx.scalar(PID), await writer.scalar(PID)}
    assert admin.terminate() == 2
    await asyncio.sleep(0.05)
    async with database.read() as tx, database.autocommit() as writer:
        assert before.isdisjoint({await tx.scalar(PID), await writer.scalar(PID)})


@pytest.mark.sockets
async def test_a_session_that_ends_in_the_middle_is_heard_as_unavailable(database: Database, admin: Admin) -> None:
    async def sleep() -> None:
        async with database.read() as tx:
            await tx.scalar(SLEEP, {"seconds": 5})

    asleep = asyncio.ensure_future(sleep())
    await eventually(lambda: admin.sessions("query LIKE '%pg_sleep($1)%' AND state = 'active'") != [])
    admin.terminate()
    with pytest.raises(psycopg.errors.AdminShutdown) as ended:
        await asleep
    assert is_unavailable(ended.value)

    async def ended_between(tx: Tx) -> None:
        await keep(tx, 1)
        admin.terminate()
        await keep(tx, 2)

    with pytest.raises(psycopg.OperationalError) as ended_in_transaction:
        await database.run(ended_between)
    assert is_unavailable(ended_in_transaction.value)
    await database.run(lambda tx: keep(tx, 3))
    assert admin.rows() == [(3, None)]


@pytest.mark.sockets
async def test_a_cancelled_request_leaves_no_statement_no_transaction_and_no_missing_connection(
    database_url: str, admin: Admin
) -> None:
    async with opened(database_url, SOUK_DB_POOL_SIZE=2) as database:
        entered = asyncio.Event()

        async def asleep() -> None:
            async with database.transaction() as tx:
                await keep(tx, 1)
                entered.set()
                await tx.scalar(SLEEP, {"seconds": 5})

        async def idle() -> None:
            async with database.transaction() as tx:
                await keep(tx, 2)
                entered.set()
                await asyncio.sleep(5)

        for work in (asleep, idle, asleep, idle):
            entered.clear()
            task = asyncio.ensure_future(work())
            await entered.wait()
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await eventually(lambda: admin.sessions("state <> 'idle'") == [])
        assert admin.rows() == []
        async with database.autocommit() as one, database.autocommit() as two:
            assert await one.scalar(PID) != await two.scalar(PID)


async def test_a_schema_change_under_a_prepared_statement_is_not_noticed(database: Database, admin: Admin) -> None:
    """Postgres refuses it with "cached plan must not change result type"."""
    everything = text("SELECT * FROM kept")
    update = text("UPDATE kept SET note = coalesce(note, :note) RETURNING *")

    async def change(tx: Tx) -> int:
        await keep(tx, 2 + len(admin.rows()))
        return (await tx.execute(update, {"note": "x"})).rowcount

    await database.run(lambda tx: keep(tx, 1))
    for column in ("a", "b"):
        async with database.read() as tx:
            before = await tx.all(everything)
            await database.once(update, {"note": "x"})
            await database.run(change)
            admin.sql.execute(f"ALTER TABLE kept ADD COLUMN {column} int DEFAULT 7")
            after = await tx.all(everything)
        assert after[0] == (*before[0][:1], "x", *before[0][2:], 7)
        assert await database.once(update, {"note": "x"}) == after[0]
        admin.sql.execute(f"ALTER TABLE kept ALTER COLUMN {column} TYPE bigint")
        assert await database.run(change) == len(admin.rows())


async def test_a_statement_that_the_server_forgot_is_prepared_again(database: Database, admin: Admin) -> None:
    async with database.autocommit() as tx:
        await keep(tx, 1)
        await tx.execute(text("DEALLOCATE ALL"))
        await keep(tx, 2)
    assert admin.rows() == [(1, None), (2, None)]


async def test_statements_stay_prepared_up_to_a_number(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "PREPARED", 5)
    prepared = text("SELECT count(*) FROM pg_prepared_statements")
    async with database.read() as tx:
        for turn in range(2):
            for number in range(20):
                assert await tx.scalar(text(f"SELECT {number} + :n"), {"n": turn}) == number + turn
        assert await tx.scalar(prepared) == 5
        with watched_wire() as wire:
            assert await tx.scalar(prepared) == 5
    assert wire.trips == [["SELECT count(*) FROM pg_prepared_statements"]]


async def test_a_statement_is_planned_again_after_so_many_times(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "_AGAIN", frozenset({3}))
    names = text("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT note FROM kept WHERE id%'")
    seen = []
    async with database.read() as tx:
        for _ in range(4):
            await tx.execute(ONE, {"id": 1})
            seen.append(await tx.all(names))
    assert [len(found) for found in seen] == [1] * 4
    assert seen[0] == seen[1] != seen[2] == seen[3]


async def test_a_failed_statement_spoils_nothing(database: Database, admin: Admin) -> None:
    wrong, nul = text("SELECT nothing FROM kept"), text("SELECT :text")
    async with database.read() as tx:
        pid = await tx.scalar(PID)
        for _ in range(2):
            with pytest.raises(psycopg.errors.UndefinedColumn):
                await tx.all(wrong)
            with pytest.raises(psycopg.DataError):
                await tx.all(nul, {"text": "a\x00b"})
            with pytest.raises(psycopg.errors.DivisionByZero):
                await tx.batch(all_as(Kept, ALL), all_as(Kept, text("SELECT 1/0")))
        assert await tx.scalar(nul, {"text": "a"}) == "a"
        assert await tx.scalar(PID) == pid


@pytest.mark.sockets
async def test_much_data_both_ways_at_once(database: Database) -> None:
    """More than the sockets hold: whoever only wrote while the other side writes would wait for ever."""
    echo = text("SELECT :data AS note, 1 AS id UNION ALL SELECT :data, 2")
    data = "x" * 3_000_000
    async with database.read() as tx:
        one, two = await tx.batch(all_as(Kept, echo, {"data": data}), all_as(Kept, echo, {"data": data}))
    assert one == two == [Kept(1, data), Kept(2, data)]


async def test_a_busy_pool_is_answered_503(database_url: str, redis_url: str, tmp_path: Path, admin: Admin) -> None:
    settings = settings_of(
        database_url, REDIS_URL=redis_url, SOUK_HOME=tmp_path, SOUK_DB_POOL_SIZE=1, SOUK_DB_POOL_TIMEOUT_SECONDS=0.05
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
    ):
        database = app.state.context.db
        async with database.read():
            with pytest.raises(NoConnection):
                await database.read().__aenter__()
            problem(await client.get("/api/v1/products"), 503, "unavailable")
            assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/api/v1/products")).status_code == 200


@pytest.mark.sockets
async def test_a_server_that_refuses_is_heard_at_once(database_url: str, admin: Admin) -> None:
    async with opened(database_url.replace("owner-of-tests", "wrong"), SOUK_DB_POOL_SIZE=1) as database:
        for _ in range(3):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed") as refused:
                await database.run(lambda tx: keep(tx, 1))
            assert is_unavailable(refused.value)


@pytest.mark.slow
async def test_a_server_that_was_restarted_is_used_again(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as server:
        name = server.fresh_database(migrate=None)
        async with opened(server.url(name)) as database:
            async with database.read() as tx, database.read() as other:
                assert await tx.scalar(PID) != await other.scalar(PID)
            server.stop()
            for _ in range(5):
                with pytest.raises(psycopg.OperationalError) as gone:
                    await database.once(PID)
                assert is_unavailable(gone.value)
            server.start()
            for _ in range(5):
                async with database.read() as tx, database.autocommit() as writer:
                    assert await tx.scalar(PID) != await writer.scalar(PID)
