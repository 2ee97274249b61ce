"""Reads that may be old: from a standby while it follows closely, from the other server when one does not answer."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from api.kernel.db import Database
from api.kernel.environment import InvalidSettings
from api.kernel.settings import Settings
from tests.harness.api import running_api
from tests.harness.database import opened
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.shop import Shop
from tests.harness.standby import StandbyHarness, running_standby

MAX_LAG = 2.0
NOTE = text("SELECT note, pg_is_in_recovery() AS standby FROM kept")
SLEEP = text("SELECT pg_sleep(:seconds)::text, pg_is_in_recovery() AS standby")


def behind(url: str) -> dict[str, object]:
    return {"SOUK_DATABASE_READ_URL": url, "SOUK_DATABASE_READ_MAX_LAG_SECONDS": MAX_LAG}


async def test_a_standby_that_is_not_there_is_not_missed(database_url: str) -> None:
    nowhere = database_url.replace("127.0.0.1", "127.0.0.2")
    async with opened(database_url, **behind(nowhere)) as database:
        for _ in range(3):
            async with database.read(may_lag=True) as tx:
                assert await tx.scalar(text("SELECT 7")) == 7
            await asyncio.sleep(0.05)


async def test_a_primary_that_is_not_there_leaves_the_catalog_readable(database_url: str) -> None:
    nowhere = database_url.replace("127.0.0.1", "127.0.0.2")
    async with opened(nowhere, **behind(database_url)) as database:
        for _ in range(3):
            async with database.read(may_lag=True) as tx:
                assert await tx.scalar(text("SELECT 7")) == 7
            await asyncio.sleep(0.05)
            with pytest.raises(psycopg.OperationalError):
                await database.read().__aenter__()


async def test_a_wrong_statement_is_not_tried_elsewhere(database_url: str) -> None:
    async with opened(database_url, **behind(database_url)) as database, database.read(may_lag=True) as tx:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await tx.scalar(text("SELECT 1/0"))
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await tx.scalar(text("CREATE TABLE never (id int)"))


def test_the_url_of_a_standby_is_one_of_postgres(database_url: str) -> None:
    settings = {"DATABASE_URL": database_url, "SOUK_DATABASE_READ_URL": "mysql://elsewhere/souk"}
    with pytest.raises((InvalidSettings, ValueError), match="SOUK_DATABASE_READ_URL must start with postgresql://"):
        Database(Settings.model_validate(settings))


@dataclass(frozen=True)
class Pair:
    """A primary and its standby, each with a database of the shop."""

    primary: PostgresHarness
    standby: StandbyHarness
    name: str

    @property
    def urls(self) -> tuple[str, str]:
        url = self.primary.url(self.name)
        return url, url.replace(f":{self.primary.cluster.port}/", f":{self.standby.cluster.port}/")

    def opened(self) -> AbstractAsyncContextManager[Database]:
        url, read_url = self.urls
        return opened(url, **behind(read_url))

    def write(self, note: str) -> None:
        with psycopg.connect(self.primary.url(self.name), autocommit=True) as sql:
            sql.execute("UPDATE kept SET note = %s", (note,))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_postgres(tmp_path_factory.mktemp("primary")) as primary:
        name = primary.fresh_database()
        with psycopg.connect(primary.url(name), autocommit=True) as sql:
            sql.execute("CREATE TABLE kept (note text)")
            sql.execute("INSERT INTO kept VALUES ('first')")
        with running_standby(tmp_path_factory.mktemp("standby"), primary) as standby:
            yield Pair(primary, standby, name)


async def read(database: Database) -> tuple[str, bool]:
    """The note, and whether a standby said it."""
    async with database.read(may_lag=True) as tx:
        note, standby = (await tx.all(NOTE))[0]
    return note, standby


async def until(database: Database, expected: tuple[str, bool], seconds: float = 10.0) -> float:
    """Read until it is so; returns how many seconds that took. What is read is the note or an older one of MAX_LAG."""
    started = time.monotonic()
    while await read(database) != expected:
        assert time.monotonic() < started + seconds, f"not {expected} but {await read(database)}"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.slow
async def test_a_standby_is_read_while_it_follows(pair: Pair) -> None:
    pair.write("one")
    async with pair.opened() as database:
        assert await read(database) == ("one", False), "before it was checked"
        await until(database, ("one", True))
        async with database.read() as tx:
            assert (await tx.all(NOTE))[0] == ("one", False), "others read the primary"
        pair.write("two")
        await until(database, ("two", True), MAX_LAG)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["does not replay", "receives nothing"])
async def test_a_standby_that_is_behind_is_not_read(pair: Pair, how: str) -> None:
    """Also one that has replayed all that it received, and was cut off: by its own account it is not behind."""
    pair.write("before")
    async with pair.opened() as database:
        await until(database, ("before", True))
        if how == "does not replay":
            pair.standby.pause()
        else:
            pair.standby.cut_off()
            await asyncio.sleep(0.5)
        pair.write("after")
        assert await read(database) == ("before", True), "it may be so much behind"
        assert 0 < await until(database, ("after", False)) < MAX_LAG + 0.5
        for _ in range(int(MAX_LAG / 0.1)):
            assert await read(database) == ("after", False)
            await asyncio.sleep(0.1)
        if how == "does not replay":
            pair.standby.resume()
        else:
            pair.standby.connect_again()
        await until(database, ("after", True), 20)


@pytest.mark.slow
async def test_a_standby_that_dies_in_a_read_is_not_missed(pair: Pair) -> None:
    pair.write("here")
    async with pair.opened() as database:
        await until(database, ("here", True))

        async def slow() -> tuple[str, bool]:
            async with database.read(may_lag=True) as tx:
                _, standby = (await tx.all(SLEEP, {"seconds": 1}))[0]
                return (await tx.all(NOTE))[0][0], standby

        reading = asyncio.ensure_future(slow())
        await asyncio.sleep(0.2)
        pair.standby.immediate_stop()
        assert await reading == ("here", False)
        for _ in range(20):
            assert await read(database) == ("here", False)
            await asyncio.sleep(0.05)
        pair.standby.start()
        await until(database, ("here", True))


@pytest.mark.slow
async def test_the_catalog_is_read_while_the_primary_is_down(pair: Pair) -> None:
    pair.write("kept")
    async with pair.opened() as database:
        await until(database, ("kept", True))
        pair.primary.stop()
        try:
            started = time.monotonic()
            while time.monotonic() < started + MAX_LAG + 1:
                assert await read(database) == ("kept", True)
                await asyncio.sleep(0.05)
            with pytest.raises(psycopg.OperationalError):
                await database.once(NOTE)
        finally:
            pair.primary.start()
        await until(database, ("kept", True))


@pytest.mark.slow
def test_a_seller_sees_his_change_at_once_and_a_shopper_within_the_lag(
    pair: Pair, redis_url: str, tmp_path: Path
) -> None:
    url, read_url = pair.urls
    lag = {"SOUK_DATABASE_READ_URL": read_url, "SOUK_DATABASE_READ_MAX_LAG_SECONDS": str(MAX_LAG)}
    with running_api(tmp_path, url, redis_url, **lag) as server:
        shop = Shop(server, url)
        seller = shop.person("seller")
        product = shop.product(seller, price=10.0)
        path = f"/api/v1/products/{product['productId']}"

        def price(**headers: str) -> float | None:
            """None while the standby does not have the product."""
            found: float | None = shop.client.get(path, headers=headers).json().get("price")
            return found

        deadline = time.monotonic() + 10
        while 'souk_reads_total{server="standby"} 0.0' in shop.client.get("/metrics").text or price() != 10.0:
            assert time.monotonic() < deadline
            price()
        pair.standby.pause()
        try:
            changed = shop.client.patch(path, json={"price": 12.5}, headers=seller.headers)
            assert changed.status_code == 200, changed.text
            assert price(**seller.headers) == 12.5
            assert price() == 10.0, "a shopper's page may be as old as the lag"
            while price() != 12.5:
                assert time.monotonic() < deadline + 10
        finally:
            pair.standby.resume()
        shop.close()
