"""kill -9 the consumer of behaviour events between every two steps, and the stream under it: each event lands once."""

import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from deltalake import DeltaTable

from tests.harness.api import running_api
from tests.harness.buying import Worker
from tests.harness.events import EventsLab
from tests.harness.redis import RedisHarness
from warehouse.events import compaction
from warehouse.events.main import serve
from warehouse.events.redis_source import STREAM
from warehouse.failpoints import POINTS as ALL
from warehouse.lake.behaviour import events_uri
from warehouse.running import AnotherConsumer
from warehouse.stop import Stop

# The first goes with every run, the others with the long one.
POINTS = (
    "events.after_rows",
    "events.before_rows",
    "events.after_read",
    "events.before_rejected",
    "events.after_acknowledge",
)
JOIN_POINTS = ("events.compact_mid", "events.compact_after")
# The process joins the files of a day as soon as there are more than so many.
EARLY = 3
JOINS_EARLY = (
    "-c",
    (
        f"import sys, warehouse.events.compaction as compaction; compaction.FILES = {EARLY};"
        " from warehouse.events.__main__ import main; sys.exit(main())"
    ),
)
# The process with its guards removed: it forgets where the lake stands and which ids it has.
UNGUARDED = (
    "-c",
    (
        "import sys, warehouse.events.landing as landing;"
        " landing._position = lambda table, partition: 0;"
        " landing.SeenIds.probable = lambda self, hashes: [False] * len(hashes);"
        " from warehouse.events.__main__ import main; sys.exit(main())"
    ),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisHarness]:
    server = RedisHarness(tmp_path_factory.mktemp("redis"), durable=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def lab(server: RedisHarness, tmp_path: Path) -> Iterator[EventsLab]:
    server.flush()
    lab = EventsLab(server, tmp_path / "home")
    yield lab
    lab.stop()


def killed_at(lab: EventsLab, point: str, program: tuple[str, ...] = ("-m", "warehouse.events")) -> list[str]:
    """Send events until the process dies at `point`; returns their ids."""
    lab.start(f"{point}=kill", program)
    sent: list[str] = []
    assert lab.process is not None
    deadline = time.monotonic() + 60
    while lab.process.poll() is None:
        assert time.monotonic() < deadline, f"{point} was never reached"
        sent += lab.send(3)
        time.sleep(0.05)
    assert lab.wait_exit() == -9
    return sent + lab.send(3)


def test_every_registered_point_is_killed_at() -> None:
    assert {*POINTS, *JOIN_POINTS} == {point for point in ALL if point.startswith("events.")}


@pytest.mark.parametrize(
    "point", [pytest.param(p, marks=() if n < 1 else pytest.mark.slow) for n, p in enumerate(POINTS)]
)
def test_killed_between_two_steps_each_event_lands_once(lab: EventsLab, point: str) -> None:
    sent = killed_at(lab, point)
    lab.trim()

    lab.start_thread()

    lab.wait(lambda: len(lab.landed()) >= len(sent))
    assert lab.landed() == sorted(sent)

    def nothing_left() -> bool:
        lab.trim()
        with lab.client() as client:
            return bool(client.xlen(STREAM) == 0)

    lab.wait(nothing_left)


@pytest.mark.slow
@pytest.mark.parametrize("point", JOIN_POINTS)
def test_killed_before_or_after_it_joins_files_each_event_is_there_once_and_the_next_one_joins_them(
    lab: EventsLab, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    sent = killed_at(lab, point, JOINS_EARLY)
    files = len(DeltaTable(events_uri(lab.lake)).file_uris())
    assert files == 1 if point == "events.compact_after" else files > EARLY
    assert set(lab.landed()) <= set(sent)
    monkeypatch.setattr(compaction, "FILES", EARLY)

    lab.start_thread()

    lab.wait(lambda: len(lab.landed()) >= len(sent))
    sent += lab.send(2)
    lab.wait(lambda: len(lab.landed()) == len(sent) and len(DeltaTable(events_uri(lab.lake)).file_uris()) <= EARLY)
    assert lab.landed() == sorted(sent)


@pytest.mark.slow
def test_without_its_guards_events_land_twice(lab: EventsLab) -> None:
    """The negative control: the same kill, and the same oracle objects."""
    sent = killed_at(lab, "events.after_rows")
    lab.start(program=UNGUARDED)
    lab.wait(lambda: len(lab.landed()) >= len(sent))

    assert len(lab.landed()) > len(set(lab.landed())) == len(sent)


@pytest.mark.slow
def test_a_stream_that_dies_is_awaited_and_one_that_forgot_everything_is_read_from_its_beginning(
    lab: EventsLab, server: RedisHarness
) -> None:
    lab.start_thread()
    lab.send(1, eventId="no UUID")
    sent = lab.send(5)
    lab.wait(lambda: len(lab.landed()) == 5)
    server.kill9()
    try:
        lab.wait(lambda: lab.status()["state"] == "waiting" and float(str(lab.status()["lagSeconds"])) > 0)
    finally:
        server.start()
    server.flush()
    with lab.client() as client:  # an entry with an old id: the clock of the new server runs behind
        fields = {"eventId": "01890000-0000-7000-8000-000000000009", "type": "search", "query": "old clock"}
        client.xadd(STREAM, {"type": "stare"}, id="1000-0")
        # Of so many entries in one millisecond that their numbers do not fit.
        client.xadd(STREAM, {**fields, "receivedAt": datetime.now(UTC).isoformat()}, id="1000-1048576")

    lab.wait(lambda: len(lab.landed()) == 6)
    lab.wait(lambda: lab.status()["rejected"] == 2)

    assert lab.landed() == sorted([*sent, fields["eventId"]])
    lab.wait(lambda: lab.status()["state"] == "streaming" and lab.status()["lagSeconds"] == 0.0)


def test_only_one_process_lands_events(lab: EventsLab) -> None:
    lab.start_thread()
    lab.wait((lab.home / "run" / "events-status.json").exists)

    with pytest.raises(AnotherConsumer, match="only one may land events"):
        serve(lab.settings(), Stop())


@pytest.mark.slow
def test_a_steady_stream_lands_while_it_grows(lab: EventsLab) -> None:
    lab.start_thread(SOUK_EVENTS_FLUSH_ROWS=7)
    sent: list[str] = []
    threads = [threading.Thread(target=lambda: sent.extend(lab.send(20))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lab.wait(lambda: len(lab.landed()) == 60)

    assert lab.landed() == sorted(sent)
    lab.wait(lambda: lab.status()["landed"] == 60)


@pytest.mark.slow
def test_every_accepted_event_lands_once_through_kills_of_redis_and_of_the_consumer(
    lab: EventsLab, server: RedisHarness, database_url: str
) -> None:
    """The whole way: the shop's API with its spool, the worker that drains and trims, the stream, the lake."""
    rng, accepted = random.Random(5), list[str]()
    worker = Worker(lab.home, {"DATABASE_URL": database_url, "REDIS_URL": server.url})
    worker.start()
    lab.start()
    try:
        with running_api(lab.home, database_url, server.url) as api, api.client() as client:
            for number in range(60):
                batch = [{"type": "view", "eventId": str(uuid4()), "productId": str(uuid4())} for _ in range(5)]
                for _ in range(rng.randint(1, 2)):  # a client that repeats what it has sent
                    answer = client.post("/api/v1/events", json={"events": batch})
                    assert (answer.status_code, answer.json()) == (202, {"accepted": 5})
                accepted += [event["eventId"] for event in batch]
                if number % 15 == 5:
                    server.kill9()
                if number % 15 == 9:
                    server.start()
                if number % 15 == 12:
                    lab.kill()
                    lab.start()
                time.sleep(0.1)
            lab.wait(lambda: len(lab.landed()) >= len(accepted), 60)
            assert lab.landed() == sorted(accepted)
            with lab.client() as stream:
                lab.wait(lambda: bool(stream.xlen(STREAM) == 0), 30)
    finally:
        worker.stop()
        server.start()
