"""How a process spreads its requests for pictures over their servers, and which addresses a product has already."""

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest

from api.catalog.commands.owned import OwnProduct
from api.catalog.pictures import fetching
from api.catalog.pictures.fetching import AT_ONCE, AT_ONCE_OF_HOST, LONGEST_REST, Claimed, Fetching
from api.kernel import clock
from tests.harness.buying import until


def claimed(host: str) -> Claimed:
    return Claimed(uuid4(), uuid4(), uuid4(), f"http://{host}/a.png", host, 1)


async def test_few_requests_at_once_for_each_server_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()

    async def wait(*_: object) -> None:
        await gate.wait()

    monkeypatch.setattr(fetching, "_fetch", wait)
    now = Fetching()
    ended: list[int] = []
    for number in range(AT_ONCE):
        assert now.has_room
        now.begin(cast("Any", None), claimed(f"host-{number // AT_ONCE_OF_HOST}"), lambda: ended.append(1))
        assert ("host-0" in now.avoided()) == (number + 1 >= AT_ONCE_OF_HOST)
    assert (now.has_room, now.running) == (False, AT_ONCE)
    gate.set()
    await until(lambda: now.running == 0)
    assert (len(ended), now.avoided()) == (AT_ONCE, [])


async def test_what_is_fetched_when_the_process_ends_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(fetching, "_fetch", for_ever)
    now = Fetching()
    now.begin(cast("Any", None), claimed("a"), lambda: None)
    await now.close()
    await asyncio.sleep(0)
    assert now.running == 0


def test_a_server_that_does_not_answer_rests_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    time = 1_000.0
    monkeypatch.setattr(clock, "monotonic", lambda: time)
    now = Fetching()
    rests: list[float | None] = []
    for _ in range(7):
        now.rests("a", 10.0)
        assert now.avoided() == ["a"]
        rests.append(now.seconds_of_rest())
        time += rests[-1] or 0
        assert (now.avoided(), now.seconds_of_rest()) == ([], None)
    assert rests == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]
    now.answered("a")
    now.rests("a", 10.0)
    assert now.seconds_of_rest() == 30.0
    # One that was not asked since is forgotten.
    time += 31 + LONGEST_REST * 10
    now.rests("b", 10.0)
    now.rests("a", 10.0)
    assert now.seconds_of_rest() == 30.0


@pytest.mark.parametrize(
    ("sent", "same"),
    [
        (["https://a/1", "/own", "https://a/2"], True),
        (["/of-1", "/own", "https://a/2"], True),
        (["https://a/1", "/own", "https://a/2", "https://a/1"], True),
        (["https://a/1", "/own", "https://a/3"], False),
        (["/own", "https://a/1", "https://a/2"], False),
        (["https://a/1", "/own"], False),
        ([], False),
    ],
)
def test_which_addresses_are_those_that_a_product_has(sent: list[str], same: bool) -> None:
    images = {"images": ["https://a/1", "/own", "https://a/2"]}
    product = OwnProduct(uuid4(), uuid4(), images, [], {"/of-1": "https://a/1"})
    assert product.has_images(sent) == same
    given_up = OwnProduct(uuid4(), uuid4(), images, [], {"/of-1": "https://a/1"}, ["https://a/2"])
    assert not given_up.has_images(sent)
