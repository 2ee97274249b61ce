"""The link to Redis of hot paths: answers in order, errors to whom they belong, never a wait without an end."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from api.kernel.redis_link import RedisLink
from tests.harness.redis import RedisHarness


@pytest_asyncio.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    one = RedisLink(redis_url, 0.5)
    yield one
    await one.close()


async def test_commands_in_flight_get_their_own_answers(link: RedisLink) -> None:
    answers = await asyncio.gather(*(link.call("ECHO", str(n)) for n in range(200)))

    assert answers == [str(n).encode() for n in range(200)]
    assert await link.calls(("SET", "a", b"\x00\xff"), ("GET", "a"), ("GET", "nothing"), ("INCRBY", "n", 2)) == [
        b"OK",
        b"\x00\xff",
        None,
        2,
    ]


async def test_an_error_belongs_to_its_command(link: RedisLink) -> None:
    answers = await asyncio.gather(
        link.call("GET", "a"), link.call("NOSUCH"), link.call("ECHO", "b"), return_exceptions=True
    )

    assert isinstance(answers[1], ResponseError)
    assert answers[2] == b"b"
    with pytest.raises(ResponseError):
        await link.calls(("ECHO", "c"), ("NOSUCH",))
    assert await link.call("ECHO", "d") == b"d"


async def test_a_script_is_sent_when_redis_has_forgotten_it(link: RedisLink) -> None:
    text = "return {KEYS[1], ARGV[1]}"
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    await link.call("SCRIPT", "FLUSH")

    for _ in range(2):
        assert await link.script(digest, text, 1, "key", 7) == [b"key", b"7"]
    with pytest.raises(ResponseError):
        await link.script("0" * 40, "return nonsense(", 0)


async def test_who_leaves_takes_no_answer_from_others(link: RedisLink) -> None:
    await link.call("ECHO", "connected")
    leaving = asyncio.create_task(link.call("ECHO", "first"))
    await asyncio.sleep(0)
    leaving.cancel()

    assert await link.call("ECHO", "second") == b"second"


async def test_a_redis_that_hangs_or_goes_fails_what_waits_and_is_found_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = RedisHarness(tmp_path_factory.mktemp("redis"))
    own.start()
    link = RedisLink(own.url, 0.2)
    assert await link.call("ECHO", "a") == b"a"
    blocked = asyncio.gather(*(link.call("BLPOP", "nothing", 5) for _ in range(3)), return_exceptions=True)
    started = time.monotonic()
    assert [type(answer) for answer in await blocked] == [NoAnswer] * 3
    assert 0.15 < time.monotonic() - started < 2
    assert await link.call("ECHO", "b") == b"b"

    own.stop()
    with pytest.raises(Disconnected):
        await link.call("ECHO", "c")
    own.start()

    assert await link.call("ECHO", "d") == b"d"
    await link.close()
    own.stop()


async def test_a_wrong_password_is_an_error(redis_server: RedisHarness) -> None:
    wrong = redis_server.url.replace(f":{redis_server.server.password}@", ":wrong@")

    with pytest.raises(ResponseError, match=r"WRONGPASS|invalid"):
        await RedisLink(wrong, 0.5).call("ECHO", "a")
