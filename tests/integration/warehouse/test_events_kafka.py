"""Behaviour events through Kafka, on the mock cluster of librdkafka: Redis, a topic, the lake, each event once."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from tests.harness.events import EventsLab
from tests.harness.redis import RedisHarness
from warehouse.events import kafka
from warehouse.events.entries import SourceUnavailable
from warehouse.events.kafka import KafkaSource, KafkaTarget
from warehouse.events.redis_source import STREAM

TOPIC = "souk.behaviour"


class Cluster:
    """Three brokers that live as long as this object, and a producer that knows them."""

    def __init__(self) -> None:
        self.producer = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 3})
        known = self.producer.list_topics(timeout=10).brokers.values()
        self.brokers = ",".join(f"{broker.host}:{broker.port}" for broker in known)

    def send(self, *events: dict[str, str]) -> list[str]:
        for event in events:
            self.producer.produce(TOPIC, json.dumps(event).encode(), event.get("sessionKey", "k").encode())
        assert self.producer.flush(10) == 0
        return [event["eventId"] for event in events]


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def lab(redis_server: RedisHarness, tmp_path: Path) -> Iterator[EventsLab]:
    redis_server.flush()
    lab = EventsLab(redis_server, tmp_path / "home")
    yield lab
    lab.stop()


def event(**fields: str) -> dict[str, str]:
    now = datetime.now(UTC).isoformat()
    plain = {
        "eventId": str(uuid4()),
        "type": "search",
        "query": "l\u00e4mp\u2028",
        "occurredAt": now,
        "receivedAt": now,
    }
    return {**plain, **fields}


def test_from_redis_through_the_topic_into_the_lake_each_once(lab: EventsLab, cluster: Cluster) -> None:
    topic = f"t{uuid4().hex[:8]}"
    sent = lab.send(30)
    lab.send(1, eventId=sent[0])
    lab.start_thread(SOUK_KAFKA_BROKERS=cluster.brokers, SOUK_KAFKA_TOPIC=topic)

    lab.wait(lambda: len(lab.landed()) == 30)

    assert lab.landed() == sorted(sent)
    lab.wait(lambda: lab.status()["duplicates"] == 1)
    lab.trim()
    with lab.client() as client:
        assert client.xlen(STREAM) == 0, "the topic has everything, so the shop may trim its stream"
    positions = lab.status()["positions"]
    assert isinstance(positions, dict)
    assert sum(positions.values()) == 31


def test_repeats_in_the_topic_and_messages_that_are_no_events(lab: EventsLab, cluster: Cluster) -> None:
    first, second = event(sessionKey="a"), event(sessionKey="b")
    sent = cluster.send(first, second, first)
    cluster.producer.produce(TOPIC, b"\xff\x00")
    cluster.producer.produce(TOPIC, b"[1]")
    cluster.producer.produce(TOPIC, b"[" * 200_000)
    cluster.producer.flush(10)

    lab.start_thread(SOUK_KAFKA_BROKERS=cluster.brokers, SOUK_KAFKA_TOPIC=TOPIC)
    lab.wait(lambda: lab.status()["rejected"] == 3 if (lab.home / "run" / "events-status.json").exists() else False)

    assert lab.landed() == sorted(set(sent))
    assert lab.landed("query") == ["l\u00e4mp\u2028"] * 2


@pytest.mark.slow
def test_a_new_process_continues_where_the_lake_stands(lab: EventsLab, cluster: Cluster) -> None:
    topic = f"t{uuid4().hex[:8]}"
    target = KafkaTarget(cluster.brokers, topic)
    through = {"SOUK_KAFKA_BROKERS": cluster.brokers, "SOUK_KAFKA_TOPIC": topic}
    sent = lab.send(10)
    lab.start_thread(**through)
    lab.wait(lambda: len(lab.landed()) == 10)
    lab.stop()
    lab.trim()

    with closing(KafkaSource(cluster.brokers, topic)) as source:
        source.open(lambda partition: 0)
        read = source.read(10, 1.0)
        while len(read) < 10:
            read += source.read(10, 1.0)
    target.land(read)
    more = lab.send(5)
    lab.start_thread(**through)
    lab.wait(lambda: len(lab.landed()) == 15)

    assert lab.landed() == sorted(sent + more)
    lab.wait(lambda: lab.status()["duplicates"] == 10)


def test_a_partition_that_was_made_anew_is_read_from_its_beginning(cluster: Cluster) -> None:
    topic = f"t{uuid4().hex[:8]}"
    cluster.producer.produce(topic, json.dumps(event()).encode(), partition=0)
    cluster.producer.flush(10)
    source = KafkaSource(cluster.brokers, topic)

    assert source.open(lambda partition: 1_000) == [f"kafka:{topic}/{number}" for number in range(4)]

    deadline = time.monotonic() + 20
    found = source.read(10, 1.0)
    while not found and time.monotonic() < deadline:
        found = source.read(10, 1.0)
    assert [(entry.partition, entry.position) for entry in found] == [(f"kafka:{topic}/0", 1)]
    source.acknowledge({f"kafka:{topic}/0": 1})
    assert source.length() == 1
    source.close()


def test_without_a_broker_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_SECONDS", 0.5)
    with pytest.raises(SourceUnavailable, match="Kafka"):
        KafkaSource("127.0.0.1:1", "nowhere").open(lambda partition: 0)
