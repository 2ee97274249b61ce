"""Group `days`: the facts that have a day, as one Parquet file per UTC day. One partition is one day."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from orchestration.graph.code_version import version_of
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.resources import Platform
from orchestration.settings import ROOT
from transforms.days import FACTS, build_days

DAYS = dg.DailyPartitionsDefinition(start_date="2009-12-01", timezone="UTC")
"""From the first day of the oldest history that Souk loads to yesterday: today is not over."""


@dg.multi_asset(
    name="fact_days",
    specs=[
        dg.AssetSpec(
            dg.AssetKey(["days", fact]),
            deps=[fact],
            group_name="days",
            owners=["team:data"],
            kinds={"duckdb", "parquet"},
            tags={"layer": "days"},
            description=f"{fact} of one day, made from the lake by the SQL of the last full build.",
            code_version=version_of(ROOT / "transforms/days.py"),
        )
        for fact in FACTS
    ],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def fact_days(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Materialized]:
    """Write the files of the run's days, one or a range, at the lake's newest watermark."""
    window = context.partition_time_window
    built = build_days(platform.transforms, window.start.date(), (window.end - timedelta(days=1)).date())
    for fact, rows in built.rows.items():
        metadata: Metadata = {"rows": rows, "lsn": built.watermark.lsn, "lsn_text": built.watermark.lsn_text}
        metadata |= {"first_day": built.first.isoformat(), "last_day": built.last.isoformat()}
        yield dg.MaterializeResult(asset_key=dg.AssetKey(["days", fact]), metadata=metadata)
