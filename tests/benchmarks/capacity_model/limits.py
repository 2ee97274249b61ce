"""What of today's design is used up first when the shop takes 10 and 100 times the orders of the measured machine."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.benchmarks.capacity_model.need import Line, Lines, line_of

GIB = 1024**3
# What the product starts its Postgres and its processes with; a test compares them with the sources.
MAX_CONNECTIONS, POOL_SIZE, POOLS = 200, 10, 2
MAX_LOG_BYTES, KEPT_LOG_BYTES = 2 * GIB, 4 * GIB
# Postgres warns when the log forces checkpoints more often (`checkpoint_warning`).
CHECKPOINT_SECONDS = 30.0
# A reader of the log that stands still for longer loses its slot and takes a new snapshot.
PAUSE_SECONDS = 60.0
CHANGES_OF_AN_ORDER = 33
ORDER = ("checkout", "checkout.c32_nine_trip")
LEAST_SQL = ("checkout", "checkout.c32_one_statement")


@dataclass(frozen=True)
class Limit:
    """`use`: the share of the limit that the measured orders a second take; it is reached at `factor` times them."""

    what: str
    bound: str
    use: float
    then: str

    @property
    def factor(self) -> float:
        """How many times the measured orders a second reach the limit."""
        return 1 / self.use


def limits(lines: Lines, server_cores: float, headroom: float) -> list[Limit]:
    """What is reached first stands first; empty when orders were not measured."""
    order = line_of(lines, *ORDER)
    return [] if order is None else sorted(_limits(lines, order, server_cores, headroom), key=lambda one: one.factor)


def _limits(lines: Lines, order: Line, server_cores: float, headroom: float) -> Iterator[Limit]:
    rate, cpu, log = float(order["ours"]), order["cpu_ms"], float(order["wal_bytes"])
    workers = int(order["workers"])
    yield Limit(
        "the machine's cores",
        "all of them are busy",
        1.0,
        "more processes of the API on more machines, Postgres and Redis on machines of their own",
    )
    yield Limit(
        "the worker",
        f"one process publishes events, {cpu['worker']:.1f} ms of one core an order",
        rate * cpu["worker"] / 1000,
        "a relay for each shard, with an advisory lock of its own",
    )
    yield Limit(
        "connections to Postgres",
        f"{MAX_CONNECTIONS}; each process of the API may open {POOLS * POOL_SIZE}",
        workers * POOLS * POOL_SIZE / MAX_CONNECTIONS,
        "a pooler between them, or a smaller `SOUK_DB_POOL_SIZE`: a process uses one or two at a time",
    )
    yield Limit(
        "Redis",
        f"one thread, {cpu['redis']:.2f} ms an order",
        rate * cpu["redis"] / 1000,
        "Redis Cluster: keys contain what they belong to",
    )
    if (least := line_of(lines, *LEAST_SQL)) is not None:
        yield Limit(
            "commits",
            f"with fsync, by pgbench on this machine: {least['limit']:,.0f}/s; an order takes {order['commits']:.1f}",
            rate * float(order["commits"]) / float(least["limit"]),
            "a faster disk and more cores; commits that come together share a flush",
        )
    yield Limit(
        "checkpoints",
        f"`max_wal_size` is 2 GiB; Postgres warns when that is less than {CHECKPOINT_SECONDS:.0f} s of log",
        CHECKPOINT_SECONDS * rate * log / MAX_LOG_BYTES,
        "a larger `max_wal_size`: a setting of the server",
    )
    yield Limit(
        "a pause of change capture",
        f"`max_slot_wal_keep_size` is 4 GiB; that is to be {PAUSE_SECONDS:.0f} s of log at least",
        PAUSE_SECONDS * rate * log / KEPT_LOG_BYTES,
        "more room for the log; a slot for each shard",
    )
    yield Limit(
        "Postgres, one server",
        f"{server_cores:.0f} cores used to {headroom:.0%}, {cpu['postgres']:.1f} ms an order",
        rate * cpu["postgres"] / 1000 / (server_cores * headroom),
        "shards by buyer",
    )
    if (lake := line_of(lines, "cdc", "cdc.lake")) is not None:
        yield Limit(
            "change capture",
            f"one process takes {lake['ours']:,.0f} changes/s; an order is {CHANGES_OF_AN_ORDER}",
            rate * CHANGES_OF_AN_ORDER / float(lake["ours"]),
            "a process for each shard's slot",
        )
