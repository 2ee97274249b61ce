"""The pool with connections that only count: how many there are, who waits, and what a cancelled task leaves behind."""

import asyncio
import random
from typing import Any, cast

import pytest

from api.kernel.connection import Connection
from api.kernel.db import is_unavailable
from api.kernel.pool import NoConnection, Pool


class Counted:
    """A connection that is opened after a turn of the loop, and may be lost."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self.lost = self.in_transaction = False

    def answers(self) -> bool:
        return not self.lost

    async def end(self) -> None:
        await asyncio.sleep(0)
        self._server.ended += 1


class Server:
    def __init__(self) -> None:
        self.opened = self.ended = 0
        self.refuses = False

    async def connect(self) -> Connection:
        await asyncio.sleep(0)
        if self.refuses:
            raise ConnectionRefusedError
        self.opened += 1
        return cast("Connection", Counted(self))


def pool_of(server: Server, size: int, seconds: float = 5.0) -> Pool:
    return Pool(server.connect, size, seconds)


async def test_a_free_connection_is_used_again() -> None:
    server = Server()
    pool = pool_of(server, 2)
    for _ in range(5):
        async with pool.connection():
            pass

    assert server.opened == 1


async def test_whoever_waits_too_long_hears_that_the_database_is_busy() -> None:
    pool = pool_of(Server(), 1, 0.02)
    async with pool.connection():
        with pytest.raises(NoConnection, match=r"no connection became free within 0\.02 seconds") as refused:
            await pool.take()
    assert is_unavailable(refused.value)
    async with pool.connection() as connection:
        assert not connection.lost, "the one that did not wait long enough left nothing behind"


async def test_those_who_wait_are_served_in_their_order() -> None:
    server = Server()
    pool = pool_of(server, 1)
    served: list[int] = []

    async def one(number: int) -> None:
        async with pool.connection():
            served.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(9)))

    assert served == list(range(9))
    assert server.opened == 1


async def test_a_refused_connection_is_heard_at_once_by_the_one_who_asked_and_the_next_one_tries() -> None:
    server = Server()
    pool = pool_of(server, 1)
    server.refuses = True
    heard = await asyncio.gather(*(pool.take() for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in heard] == [ConnectionRefusedError] * 3

    server.refuses = False
    async with pool.connection():
        assert server.opened == 1


@pytest.mark.parametrize("fault", ["lost", "in_transaction"])
async def test_a_connection_that_cannot_be_used_again_is_replaced(fault: str) -> None:
    server = Server()
    pool = pool_of(server, 1)
    async with pool.connection() as connection:
        setattr(connection, fault, True)
    async with pool.connection():
        pass
    await pool.close()

    assert (server.opened, server.ended) == (2, 2)


async def test_a_connection_that_was_lost_while_nobody_used_it_is_not_handed_out() -> None:
    server = Server()
    pool = pool_of(server, 2)
    async with pool.connection() as idle:
        pass
    cast("Any", idle).lost = True  # Any: the connection of this test
    async with pool.connection() as connection:
        assert connection is not idle

    assert server.opened == 2


async def test_closing_ends_what_is_idle_now_and_what_is_busy_later() -> None:
    server = Server()
    pool = pool_of(server, 2)
    busy = await pool.take()
    async with pool.connection():
        pass
    await pool.close()
    assert server.ended == 1
    pool.give(busy)
    await pool.close()
    assert server.ended == 2


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_is_lost_or_doubled_whoever_is_cancelled(seed: int) -> None:
    """Tasks take, lose, cannot open and are cancelled at any await; afterwards all places can be taken, and no more."""
    chance = random.Random(seed)
    server, size = Server(), 3
    pool = pool_of(server, size, 0.003)
    busy = most = 0

    async def one() -> None:
        nonlocal busy, most
        async with pool.connection() as connection:
            busy += 1
            most = max(most, busy)
            try:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                cast("Any", connection).lost = chance.random() < 0.2  # Any: the connection of this test
            finally:
                busy -= 1

    tasks = []
    for _ in range(200):
        server.refuses = chance.random() < 0.1
        tasks.append(asyncio.ensure_future(one()))
        if chance.random() < 0.5:
            await asyncio.sleep(0.001 if chance.random() < 0.05 else 0)
        if chance.random() < 0.4:
            chance.choice(tasks).cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    server.refuses = False

    assert {type(one) for one in done} <= {type(None), asyncio.CancelledError, NoConnection, ConnectionRefusedError}
    assert most == size
    taken = [await pool.take() for _ in range(size)]
    assert len({id(one) for one in taken}) == size
    with pytest.raises(NoConnection):
        await pool.take()
    for connection in taken:
        pool.give(connection)
    await pool.close()
    assert server.opened == server.ended
