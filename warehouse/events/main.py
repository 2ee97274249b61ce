"""The process: each stage reads a stream, waits for a batch, lands it, acknowledges it; and begins anew whenever one of
the two sides fails.

On one machine there is one stage, from the shop's Redis to the lake. With Kafka there are two: Redis to the topic, the
topic to the lake.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
from deltalake.exceptions import DeltaError

from warehouse.events.entries import Entry, Source, SourceUnavailable, Target
from warehouse.events.landing import Landing
from warehouse.events.redis_source import RedisSource
from warehouse.events.status import EventsStatus
from warehouse.failpoints import hit
from warehouse.logs import get_logger
from warehouse.running import only_consumer
from warehouse.settings import EventSettings
from warehouse.stop import Stop

log = get_logger(__name__)
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
# An entry ends a wait. While a batch is open its time is looked at more often.
_READ_SECONDS, _OPEN_SECONDS = 1.0, 0.5
_LOOK_SECONDS = 2.0
_LAKE_ERRORS = (DeltaError, duckdb.Error, pa.ArrowException, OSError)


@dataclass(frozen=True)
class Stage:
    """`name` is that of its lock and of its status file in `run`."""

    name: str
    open_source: Callable[[], Source]
    open_target: Callable[[], Target]


def stages_of(settings: EventSettings) -> list[Stage]:
    """What the settings ask for."""
    brokers, topic = settings.kafka_brokers, settings.kafka_topic

    def shop() -> Source:
        return RedisSource(settings.redis_url.get_secret_value())

    def lake() -> Target:
        return Landing(
            settings.lake_uri,
            timedelta(days=settings.events_horizon_days),
            retention_hours=settings.lake_retention_hours,
            search_log_days=settings.search_log_days,
        )

    if not brokers:
        return [Stage("events", shop, lake)]
    from warehouse.events.kafka import KafkaSource, KafkaTarget  # needs librdkafka, only with a cluster

    return [
        Stage("events", lambda: KafkaSource(brokers, topic), lake),
        Stage("events-forward", shop, lambda: KafkaTarget(brokers, topic)),
    ]


def serve(settings: EventSettings, stop: Stop) -> int:
    """Run every stage until `stop`; returns 0. A stage that fails for good ends the others."""

    def run(stage: Stage) -> None:
        try:
            run_stage(stage, settings, stop)
        finally:
            stop.ask()

    stages = stages_of(settings)
    with ThreadPoolExecutor(len(stages), thread_name_prefix="stage") as pool:
        for ended in [pool.submit(run, stage) for stage in stages]:
            ended.result()
    return 0


def run_stage(stage: Stage, settings: EventSettings, stop: Stop) -> None:
    """One stage until `stop`. Raises AnotherConsumer."""
    status = EventsStatus(settings.home / "run" / f"{stage.name}-status.json")
    target: Target | None = None
    failures = 0
    with only_consumer(settings.home / "run" / f"{stage.name}.lock", "land events"), status.beating():
        status.report("starting", behind_since=datetime.now(UTC))
        while not stop.asked:
            began = time.monotonic()
            try:
                target = target or stage.open_target()
                with closing(stage.open_source()) as source:
                    Consumer(settings, source, target, status).run(stop)
            except (SourceUnavailable, *_LAKE_ERRORS) as error:
                if not isinstance(error, SourceUnavailable):
                    target = None
                failures = 1 if time.monotonic() - began > 60 else min(failures + 1, len(_RETRY_SECONDS))
                log.warning("interrupted", stage=stage.name, seconds=_RETRY_SECONDS[failures - 1], error=str(error))
                status.report("waiting", behind_since=None, error=str(error))
                stop.wait(_RETRY_SECONDS[failures - 1])
        status.report("stopped", behind_since=None)


class Consumer:
    """One connection to a stream."""

    def __init__(self, settings: EventSettings, source: Source, target: Target, status: EventsStatus) -> None:
        self._settings, self._source, self._target, self._status = settings, source, target, status
        self._batch: list[Entry] = []
        self._began: datetime | None = None

    def run(self, stop: Stop) -> None:
        """Raises SourceUnavailable or an error of the lake; what was not landed is read again by the next one."""
        for partition in self._source.open(self._target.position):
            self._target.restart(partition)
        looked_at = -_LOOK_SECONDS
        while not stop.asked:
            self._fill()
            if self._due():
                self._land()
                self._report()
            elif time.monotonic() - looked_at >= _LOOK_SECONDS:
                looked_at = time.monotonic()
                self._report()
                self._target.tidy()
        self._land()

    def _fill(self) -> None:
        room = self._settings.events_flush_rows - len(self._batch)
        entries = self._source.read(room, _READ_SECONDS if self._began is None else _OPEN_SECONDS)
        hit("events.after_read")
        if entries and self._began is None:
            self._began = datetime.now(UTC)
        self._batch += entries

    def _due(self) -> bool:
        if self._began is None:
            return False
        age = (datetime.now(UTC) - self._began).total_seconds()
        return age >= self._settings.events_flush_seconds or len(self._batch) >= self._settings.events_flush_rows

    def _land(self) -> None:
        if not self._batch:
            return
        done = self._target.land(self._batch)
        self._batch, self._began = [], None
        self._source.acknowledge(done.reached)
        hit("events.after_acknowledge")
        self._status.landed(done)

    def _report(self) -> None:
        self._status.report("streaming", behind_since=self._oldest(), length=self._source.length())

    def _oldest(self) -> datetime | None:
        """When the oldest entry that waits in memory was sent; the stream's own time, not a client's."""
        return min((entry.sent_at for entry in self._batch), default=None)
