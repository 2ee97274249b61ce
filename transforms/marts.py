"""Lake -> marts and features in full: one watermark, one private DuckDB file, dbt with its tests, publication.

Between full builds `transforms.incremental` keeps the marts fresh. A full build compares what they became with its own.
"""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from transforms.dbt_project import DbtRun, load_manifest, run_dbt
from transforms.derived import attach_co_purchase
from transforms.errors import BuildFailed
from transforms.incremental.corrections import CREATE as CREATE_CORRECTIONS
from transforms.incremental.corrections import correct_as_published
from transforms.incremental.refresh import Comparison, replace_state
from transforms.incremental.state import source_of
from transforms.lake import newest_watermark
from transforms.publish import connect
from transforms.publish_marts import published_bytes
from transforms.refresh_record import recorded
from transforms.settings import TransformSettings
from transforms.withheld import Withheld, known_since, withhold
from warehouse.lake.behaviour import attach_events
from warehouse.lake.read import Watermark, attach


@dataclass(frozen=True)
class BuildResult:
    """What one build published: marts and features at `lsn` or, when refreshes were further, where they were.

    seconds by phase; rows by table; sizes in bytes.
    """

    lsn: int
    lsn_text: str
    as_of: datetime
    built_at: datetime
    marts: Path
    marts_bytes: int
    features: Path
    manifest: Path
    models: int
    tests: int
    withheld: tuple[Withheld, ...]
    rows: dict[str, int]
    feature_rows: dict[str, int]
    seconds: dict[str, float]
    comparison: Comparison

    def as_json(self) -> dict[str, object]:
        """Plain values for logs, Dagster metadata and `--json`."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def build(settings: TransformSettings, watermark: Watermark | None = None) -> BuildResult:
    """Build every mart and feature at one watermark (the newest by default) and publish them.

    Safe to run again after any crash and from several processes: builds wait for each other, leftovers are removed.
    Keys whose rows fail a data test are withheld and named, the rest is published. Raises LakeNotReady without a
    watermark, BuildFailed when anything else fails (nothing is published then, and `refresh.json` says why).
    """
    watermark = watermark or newest_watermark(settings.lake_uri)
    built_at = datetime.now(UTC)
    with recorded(settings.refresh_record, watermark.lsn_text, built_at):
        return _build(settings, watermark, built_at)


def _build(settings: TransformSettings, watermark: Watermark, built_at: datetime) -> BuildResult:
    clock = _Stopwatch()
    with _only_build(settings.build_folder):
        private = settings.build_folder / "souk.duckdb"
        prepare(private, settings.lake_uri, watermark, built_at)
        correct_as_published(private, settings.marts_path, source_of(watermark))
        clock.lap("attach")
        run, withheld = _run_without_bad_keys(settings, private, built_at)
        clock.lap("dbt")
        manifest = load_manifest(run.manifest)
        rows, feature_rows, comparison = replace_state(settings, private, manifest, watermark, built_at)
        clock.lap("publish")
    return BuildResult(
        lsn=watermark.lsn,
        lsn_text=watermark.lsn_text,
        as_of=watermark.commit_ts,
        built_at=built_at,
        marts=settings.marts_path,
        marts_bytes=published_bytes(settings.marts_path),
        features=settings.features_folder / "current",
        manifest=run.manifest,
        models=run.models,
        tests=run.tests,
        withheld=tuple(withheld),
        rows=rows,
        feature_rows=feature_rows,
        seconds=clock.laps,
        comparison=comparison,
    )


def _run_without_bad_keys(
    settings: TransformSettings, private: Path, built_at: datetime
) -> tuple[DbtRun, list[Withheld]]:
    """dbt with its tests, again without the keys that fail them until none does."""
    since = known_since(settings.marts_path)
    withheld: list[Withheld] = []
    while True:
        try:
            return run_dbt(settings, private), withheld
        except BuildFailed as failed:
            withheld += withhold(private, failed, built_at, since, settings.lake_uri)


def prepare(private: Path, lake_uri: str, watermark: Watermark, built_at: datetime) -> None:
    """Create a DuckDB file with the lake's views in schema `lake`, the jobs' pairs in `derived`, the newest behaviour
    events in `behaviour`.

    Its schema `build` has the watermark, and the keys to withhold and the corrections of closed days, of
    which there are none yet.
    """
    with connect(private) as con:
        attach(con, lake_uri, watermark, schema="lake")
        attach_co_purchase(con, lake_uri)
        attach_events(con, lake_uri)
        con.execute("CREATE SCHEMA build")
        con.execute(
            "CREATE TABLE build.watermark (lsn BIGINT, lsn_text VARCHAR, as_of TIMESTAMPTZ, built_at TIMESTAMPTZ)"
        )
        con.execute(
            "INSERT INTO build.watermark VALUES (?, ?, ?, ?)",
            [watermark.lsn, watermark.lsn_text, watermark.commit_ts, built_at],
        )
        con.execute("CREATE TABLE build.withheld (kind VARCHAR, key VARCHAR, rule VARCHAR, since TIMESTAMPTZ)")
        con.execute(CREATE_CORRECTIONS)


@contextmanager
def _only_build(folder: Path) -> Iterator[None]:
    """Lock the build folder and empty it.

    The lock ends with the process, so a killed build never blocks the next.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.iterdir():
            if left.name != ".lock":
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield


class _Stopwatch:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
