"""No message and no entry stops the way through Kafka: what cannot be sent or read is set aside."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from warehouse.events import kafka
from warehouse.events.entries import Entry, Landed, Rejected, SourceUnavailable, row_of
from warehouse.events.kafka import KafkaSource, KafkaTarget

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MOST = 10_000
OTHER = KafkaException(KafkaError(KafkaError.BROKER_NOT_AVAILABLE))
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


def entry(number: int, query: str = "lamp") -> Entry:
    moment = NOW.isoformat()
    fields = {"eventId": str(UUID(int=number)), "type": "search", "query": query, "receivedAt": moment}
    return Entry("p", number, f"{number}-0", NOW, {name.encode(): text.encode() for name, text in fields.items()})


class Producer:
    """A cluster that takes messages of up to MOST bytes: it refuses larger ones at once, or when they arrive."""

    def __init__(self, *, at_once: bool = True, error: Exception | None = None) -> None:
        self.at_once, self.error = at_once, error
        self.sent: list[bytes] = []

    def produce(self, _topic: str, value: bytes, _key: bytes, on_delivery: Callable[[object, object], None]) -> None:
        if self.error is not None:
            raise self.error
        if len(value) <= MOST:
            self.sent.append(value)
            on_delivery(None, None)
        elif self.at_once:
            raise KafkaException(TOO_LARGE)
        else:
            on_delivery(TOO_LARGE, None)

    def flush(self, _seconds: float) -> int:
        return 0


def target_of(producer: Producer, monkeypatch: pytest.MonkeyPatch) -> KafkaTarget:
    monkeypatch.setattr(kafka, "Producer", lambda _configuration: producer)
    return KafkaTarget("b", "t")


@pytest.mark.parametrize("at_once", [True, False], ids=["by the client", "by the broker"])
def test_an_entry_that_is_too_large_is_set_aside_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    producer = Producer(at_once=at_once)
    target = target_of(producer, monkeypatch)
    large = entry(2, "l" * MOST)

    done = target.land([entry(1), large, entry(3)])

    assert done == Landed(rows=2, rejected=1, reached={"p": 3})
    assert target.position("p") == 3
    sent = [json.loads(value) for value in producer.sent]
    assert [one.get("eventId") for one in sent] == [str(UUID(int=1)), str(UUID(int=3)), None]
    assert (sent[2]["tooLarge"], sent[2]["entry"]) == (str(len(large.as_json())), "p 2-0")
    assert large.as_json().startswith(sent[2]["begin"])
    aside = Entry("t", 1, "0/0", NOW, {name.encode(): text.encode() for name, text in sent[2].items()})
    with pytest.raises(Rejected):
        row_of(aside, NOW, timedelta(days=30))


@pytest.mark.parametrize("error", [BufferError("full"), OTHER], ids=["full", "other"])
def test_a_cluster_that_takes_nothing_is_tried_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    target = target_of(Producer(error=error), monkeypatch)

    with pytest.raises(SourceUnavailable, match="Kafka: "):
        target.land([entry(1)])
    assert target.position("p") == 0


class Consumer:
    """A topic with one message."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def consume(self, _limit: int, timeout: float) -> list[Message]:
        return [self._message]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b"[" * 200_000, 0),
        (b'{"a":' * 200_000, 0),
        (b'{"type": "\\ud800"}', 0),
        (b"\xff", 0),
        (b"[1]", 0),
        (b"1" * 5_000, 0),
        (b"{}", 2**62),
        (b"{}", -1),
    ],
    ids=["list", "object", "surrogate", "bytes", "no object", "number", "future", "no time"],
)
def test_no_message_stops_the_consumer(monkeypatch: pytest.MonkeyPatch, value: bytes, moment: int) -> None:
    message = Message(topic="t", partition=0, offset=7, value=value, timestamp=(1, moment))
    monkeypatch.setattr(kafka, "Consumer", lambda _configuration: Consumer(message))

    (found,) = KafkaSource("b", "t").read(10, 1.0)

    assert (found.partition, found.position, found.entry_id) == ("kafka:t/0", 8, "0/7")
    assert found.sent_at.tzinfo is UTC
    with pytest.raises(Rejected):
        row_of(found, NOW, timedelta(days=30))
    json.loads(found.as_json())
