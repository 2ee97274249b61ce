"""Whether a batch costs more in a lake with a longer log: the exponent of processor time over the log's length.

Lakes of several lengths receive batches in turn, so that whatever else the machine does at a moment raises the cost of
all of them alike; a single lake measured while it grows mixes that with its length.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.benchmarks.results import record
from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.maintenance import Cadence, Maintenance
from warehouse.contract import Contract
from warehouse.lake.watermark import Source

LENGTHS = (100, 500, 2_500)
ROUNDS = 320  # whole numbers of the two commonest joins, of 8 and of 64 files
BLOCKS = 10
_T = 2.262  # Student's t for 95 % with BLOCKS - 1 degrees of freedom
_ROWS = 10


@dataclass(frozen=True)
class Growth:
    """cost ~ length ** exponent. `low` and `high`: the 95 % interval of `exponent`."""

    exponent: float
    low: float
    high: float


def growth(lengths: Sequence[float], costs: Sequence[Sequence[float]], blocks: int = BLOCKS) -> Growth:
    """The exponent from the costs of the same rounds in lakes of these lengths.

    The interval comes from the exponents of `blocks` runs of consecutive rounds, each fitted by itself.
    """
    rounds = np.asarray(costs)
    logs = np.log(lengths)

    def fit(part: np.ndarray) -> float:
        return float(np.polyfit(logs, np.log(part.mean(axis=1)), 1)[0])

    each = [fit(part) for part in np.array_split(rounds, blocks, axis=1)]
    margin = _T * float(np.std(each, ddof=1)) / blocks**0.5
    whole = fit(rounds)
    return Growth(whole, whole - margin, whole + margin)


class GrowingLake:
    """A lake of one table whose batches are folded at once."""

    def __init__(self, folder: Path, contract: Contract, aside: Executor) -> None:
        [self._table] = contract.tables
        self._writer = LakeWriter(str(folder), contract.by_name, Source("1", 1, "bench"))
        self._writer.snapshot_table(self._table.name, 10, [], first=True)
        self._writer.publish_snapshot(10, {}, datetime.now(UTC))
        cadence = Cadence(fold_rows=20_000, fold_seconds=0, fold_files=8, retention_hours=24)
        self._maintenance, self._aside = Maintenance(self._writer, cadence), aside
        [key] = self._table.primary_key
        self._rows = pa.Table.from_pylist(
            [{key: number, "note": "x", "_op": "i", "_ordinal": number} for number in range(_ROWS)],
            schema=self._table.changes_schema,
        )

    def batch(self) -> float:
        """Write a batch, its fold and what is then due; returns the processor time of all threads."""
        lsn = self._writer.lsn + 10
        place = self._rows.schema.get_field_index("_commit_lsn")
        rows = self._rows.set_column(place, "_commit_lsn", pa.array([lsn] * _ROWS, pa.int64()))
        spent = time.process_time()
        self._writer.append_hot(lsn, datetime.now(UTC), [(self._table.name, rows.to_batches()[0])])
        while self._maintenance.run_next(self._aside):
            pass
        return time.process_time() - spent


def measure_growth(folder: Path, contract: Contract) -> None:
    """Let the lakes grow to their lengths, then measure batches in turn."""
    with ThreadPoolExecutor(1) as aside:
        lakes = [GrowingLake(folder / f"growth-{length}", contract, aside) for length in LENGTHS]
        for lake, length in zip(lakes, LENGTHS, strict=True):
            for _ in range(length):
                lake.batch()
        costs: list[list[float]] = [[] for _ in lakes]
        for number in range(ROUNDS):
            for at in range(len(lakes)):
                turn = (number + at) % len(lakes)
                costs[turn].append(lakes[turn].batch())
    lengths = [length + ROUNDS / 2 for length in LENGTHS]
    found = growth(lengths, costs)
    means = [1000 * sum(spent) / len(spent) for spent in costs]
    low, high = round(found.low, 4), round(found.high, 4)
    shown = ", ".join(f"{mean:.1f} at {length:,}" for mean, length in zip(means, LENGTHS, strict=True))
    record("cdc", "cdc.growth", ours=found.exponent, limit=None, unit="exponent", lower_is_better=True,
           low=low, high=high, confidence=0.95, lengths=list(LENGTHS), rounds=ROUNDS,
           batches=sum(LENGTHS) + ROUNDS * len(LENGTHS), cpuMs=[round(mean, 2) for mean in means],
           curve={"ours": [(length, round(mean, 3)) for length, mean in zip(lengths, means, strict=True)]},
           note=f"95 % interval {low} to {high}; CPU ms a batch and fold: {shown} batches")  # fmt: skip
