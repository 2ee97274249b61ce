"""Run the jobs on the lake at one watermark and commit the results to Delta, whichever engine computes them."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq

from transforms.jobs.engine import Engine, OpenEngine, engine_for
from transforms.jobs.rules import JOBS, Job
from transforms.lake import newest_watermark
from transforms.settings import TransformSettings
from warehouse.lake.catalog import open_table
from warehouse.lake.derived import commit_files, derived_uri
from warehouse.lake.fold import forget
from warehouse.lake.read import Watermark

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
    watermark = watermark or newest_watermark(settings.lake_uri)
    open_engine = open_engine or engine_for(settings, watermark)
    started = time.perf_counter()
    rows: dict[str, int] = {}
    versions: dict[str, int] = {}
    with open_engine(settings, watermark) as engine:
        seconds = {"session": round(time.perf_counter() - started, 3)}
        for job in JOBS:
            started = time.perf_counter()
            with _folder(settings, job.name) as folder:
                rows[job.name], versions[job.name] = _run_job(engine, settings.lake_uri, watermark, job, folder)
            seconds[job.name] = round(time.perf_counter() - started, 3)
    return JobsResult(watermark.lsn, watermark.lsn_text, rows, versions, seconds, engine.name)


@contextmanager
def _folder(settings: TransformSettings, name: str) -> Iterator[Path]:
    """Where the engine writes: under the table, where no reader sees the files before the commit. For a table on an
    object store in the state directory, until they are committed."""
    uri = derived_uri(settings.lake_uri, name)
    own = f"run-{uuid4().hex}"
    if "://" not in uri:
        yield Path(uri) / own
        return
    folder = settings.home / "jobs" / own
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_job(engine: Engine, lake: str, watermark: Watermark, job: Job, folder: Path) -> tuple[int, int]:
    """Rows and version."""
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
