"""Kafka as the stream: a topic as a source, and the way of the shop's stream into that topic.

The shop writes to Redis either way, which is its buffer: it is trimmed once the topic has an entry on every replica in
sync. Each stage may repeat itself after a crash; an event still lands once, by its id.
"""

import json
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from warehouse.events.entries import Entry, Landed, Positions, SourceUnavailable, moment, reached_by
from warehouse.logs import get_logger

log = get_logger(__name__)
GROUP = "souk-lake"
_SECONDS = 10.0
# What identifies the visitor of an event: entries with the same one keep their order.
_KEYS = (b"sessionKey", b"userId", b"eventId")
# Of an entry that is too large for the topic, so many characters are kept.
_KEPT_CHARACTERS = 1_000


class KafkaSource:
    """Every partition of a topic, read from the positions that the lake has: a position is the offset that comes next.

    Offsets are committed too, for tools that show a group's lag; nothing is read from them. Kafka keeps entries by the
    topic's retention, which must be longer than the longest outage of the lake.
    """

    def __init__(self, brokers: str, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": brokers,
                "group.id": GROUP,
                "enable.auto.commit": False,
                # An offset that the topic does not have any more is an error, never a silent jump.
                "auto.offset.reset": "error",
            }
        )

    def open(self, landed: Positions) -> list[str]:
        """A partition that ends before the lake's position was made anew: it is read from its beginning, and the ids
        tell what is new. One that begins after it has lost entries: that is an error in the log, and it goes on."""
        anew: list[str] = []
        try:
            described = self._consumer.list_topics(self._topic, timeout=_SECONDS).topics[self._topic]
            if not described.partitions:
                raise SourceUnavailable(f"Kafka: topic {self._topic}: {described.error or 'has no partition'}")
            self._consumer.assign([self._begin(number, landed, anew) for number in sorted(described.partitions)])
        except KafkaException as error:
            raise _unavailable(error) from error
        return anew

    def read(self, limit: int, wait_seconds: float) -> list[Entry]:
        try:
            messages = self._consumer.consume(limit, timeout=wait_seconds)
        except KafkaException as error:
            raise _unavailable(error) from error
        for message in messages:
            if (problem := message.error()) is not None:
                raise SourceUnavailable(f"Kafka: {problem}")
        return [_entry(message) for message in messages]

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        offsets = [TopicPartition(self._topic, _number(name), at) for name, at in positions.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise _unavailable(error) from error

    def length(self) -> int | None:
        ends = [self._consumer.get_watermark_offsets(one, cached=True) for one in self._consumer.assignment()]
        return sum(max(high - low, 0) for low, high in ends)

    def close(self) -> None:
        self._consumer.close()

    def _begin(self, number: int, landed: Positions, anew: list[str]) -> TopicPartition:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=_SECONDS)
        position = landed(_name(self._topic, number))
        if position > high:
            log.warning("the partition ends before the lake's position", partition=number, at=position, end=high)
            anew.append(_name(self._topic, number))
            position = low
        elif position < low:
            if position:
                log.error("entries were deleted before they landed", partition=number, count=low - position)
            position = low
        return TopicPartition(self._topic, number, position)


class KafkaTarget:
    """Sends entries on. They are durable when `land` returns: every replica in sync has them."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._topic = topic
        self._reached: dict[str, int] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": int(_SECONDS * 1000),
            }
        )

    def position(self, partition: str) -> int:
        """Of an earlier process nothing is known: what the stream still has is sent again, and lands once."""
        return self._reached.get(partition, 0)

    def restart(self, partition: str) -> None:
        """What the topic has of it stays there: the ids tell what is new."""
        self._reached.pop(partition, None)

    def tidy(self) -> None:
        """Nothing to do: the cluster keeps house itself."""

    def land(self, entries: Sequence[Entry]) -> Landed:
        """Raises SourceUnavailable when the cluster does not take all of them.

        Instead of an entry that is larger than the topic allows, a message goes on that says so: it is no event, so the
        lake sets it aside.
        """
        large = self._send([(entry, entry.as_json()) for entry in entries])
        if large:
            log.error("entries are too large for the topic", entries=[entry.entry_id for entry, _ in large])
            self._send([(entry, _too_large(entry, text)) for entry, text in large])
        self._reached |= reached_by(entries)
        return Landed(rows=len(entries) - len(large), rejected=len(large), reached=reached_by(entries))

    def _send(self, messages: Sequence[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
        """Returns those that are too large."""
        large: list[tuple[Entry, str]] = []
        failed: list[str] = []

        def failed_with(error: KafkaError, entry: Entry, text: str) -> None:
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                large.append((entry, text))
            else:
                failed.append(str(error))

        for entry, text in messages:

            def told(error: KafkaError | None, _message: Message, entry: Entry = entry, text: str = text) -> None:
                if error is not None:
                    failed_with(error, entry, text)

            try:
                self._produce(entry, text, told)
            except KafkaException as error:
                failed_with(error.args[0], entry, text)
        if left := self._producer.flush(_SECONDS):
            failed.append(f"{left} entries were not confirmed in time")
        if failed:
            raise SourceUnavailable(f"Kafka: {failed[0]}")
        return large

    def _produce(self, entry: Entry, text: str, told: Callable[[KafkaError | None, Message], None]) -> None:
        key = next((entry.fields[name] for name in _KEYS if name in entry.fields), None)
        try:
            self._producer.produce(self._topic, text.encode(), key, on_delivery=told)
        except BufferError:
            self._producer.flush(_SECONDS)
            try:
                self._producer.produce(self._topic, text.encode(), key, on_delivery=told)
            except BufferError as error:
                raise SourceUnavailable(f"Kafka: {error}") from error


def _too_large(entry: Entry, text: str) -> str:
    """What is sent instead of an entry; it has nothing of an event."""
    found = {"tooLarge": str(len(text)), "entry": f"{entry.partition} {entry.entry_id}"}
    return json.dumps({**found, "begin": text[:_KEPT_CHARACTERS]})


def _entry(message: Message) -> Entry:
    """A message that is no JSON object of texts has no fields, so it is rejected with its bytes."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    value = message.value() or b""
    try:
        found = json.loads(value)
        fields = {name.encode(): text.encode() for name, text in found.items()}
    except (ValueError, AttributeError, RecursionError):
        fields = {b"value": bytes(value)}
    _, milliseconds = message.timestamp()
    return Entry(
        _name(str(message.topic()), partition), offset + 1, f"{partition}/{offset}", moment(milliseconds), fields
    )


def _name(topic: str, number: int) -> str:
    return f"kafka:{topic}/{number}"


def _number(partition: str) -> int:
    return int(partition.rpartition("/")[2])


def _unavailable(error: KafkaException) -> SourceUnavailable:
    return SourceUnavailable(f"Kafka: {error}")
