"""Run the jobs on the lake at one watermark and commit the results to Delta, whichever engine computes them."""

import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq

from transforms.errors import LakeNotReady
from transforms.jobs.engine import Engine, OpenEngine, engine_for
from transforms.jobs.rules import JOBS, Job
from transforms.settings import TransformSettings
from warehouse.lake.catalog import open_table
from warehouse.lake.derived import commit_files, derived_uri
from warehouse.lake.fold import forget
from warehouse.lake.read import Watermark, latest_watermark

_RETENTION_HOURS = 24


@dataclass(frozen=True)
class JobsResult:
    """What one run committed: rows and Delta version by table, seconds by phase; `engine` computed it."""

    lsn: int
    lsn_text: str
    rows: dict[str, int]
    versions: dict[str, int]
    seconds: dict[str, float]
    engine: str


def run(
    settings: TransformSettings, watermark: Watermark | None = None, open_engine: OpenEngine | None = None
) -> JobsResult:
    """Compute both derived tables at one watermark, the newest by default.

    Each table is one commit that carries the LSN. The engine is that of `engine_for` unless one is given. Safe to
    repeat. Raises LakeNotReady without a watermark, SparkFailed where Spark is to run and cannot.
    """
    watermark = watermark or latest_watermark(settings.lake_uri)
    if watermark is None:
        raise LakeNotReady(
            f"the lake at {settings.lake_uri} has no watermark yet: is `python -m warehouse.cdc` running?"
        )
    open_engine = open_engine or engine_for(settings, watermark)
    started = time.perf_counter()
    rows: dict[str, int] = {}
    versions: dict[str, int] = {}
    with open_engine(settings, watermark) as engine:
        seconds = {"session": round(time.perf_counter() - started, 3)}
        for job in JOBS:
            started = time.perf_counter()
            rows[job.name], versions[job.name] = _run_job(engine, settings.lake_uri, watermark, job)
            seconds[job.name] = round(time.perf_counter() - started, 3)
    return JobsResult(watermark.lsn, watermark.lsn_text, rows, versions, seconds, engine.name)


def _run_job(engine: Engine, lake: str, watermark: Watermark, job: Job) -> tuple[int, int]:
    """Rows and version. The files lie in a folder of their own under the table; no reader sees them before the
    commit."""
    folder = Path(derived_uri(lake, job.name)) / f"run-{uuid4().hex}"
    engine.write(job.query(engine), folder)
    files = sorted(folder.glob("part-*.parquet"))
    metadata = {"watermarkLsn": str(watermark.lsn), "watermarkLsnText": watermark.lsn_text}
    version = commit_files(lake, job.name, files, job.schema, mode="overwrite", metadata=metadata)
    _forget_old(lake, job.name)
    return sum(int(pq.ParquetFile(file).metadata.num_rows) for file in files), version


def _forget_old(lake: str, name: str) -> None:
    """Delete files that no version of the last day needs, including those of killed runs."""
    table = open_table(derived_uri(lake, name))
    if table is not None:
        forget(table, _RETENTION_HOURS)
