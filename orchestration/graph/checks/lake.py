"""Checks on the lake's tables."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from orchestration.graph.assets.lake import lake_tables
from orchestration.graph.dbt_graph import read_project
from orchestration.graph.metadata import Metadata
from orchestration.graph.recorded import recorded_rows, recorded_watermark
from orchestration.graph.resources import Platform
from warehouse.comparison import verify_against_postgres
from warehouse.lake.wholeness import faults

EQUALS, IS_FRESH = "equals_postgres", "is_fresh"
_LAG_SECONDS = 300.0
_WAIT_SECONDS = 60.0
_FILLED = ("orders", "order_items", "products", "product_variants", "categories", "users")


@dg.multi_asset_check(
    name="lake_equals_postgres",
    specs=[
        dg.AssetCheckSpec(EQUALS, asset=name, blocking=True, description="Row for row at one LSN")
        for name in lake_tables()
    ],
)
def lake_equals_postgres(platform: Platform) -> Iterator[dg.AssetCheckResult]:
    """Every published table, hashed on both sides inside one exported snapshot."""
    settings = platform.warehouse
    verdict = verify_against_postgres(
        settings.source_url, settings.lake_uri, platform.contract(), wait_seconds=_WAIT_SECONDS
    )
    for table in verdict.tables:
        metadata: Metadata = {
            "lsn": verdict.lsn,
            "postgres_rows": table.source_rows,
            "lake_rows": table.lake_rows,
            "keys": "\n".join(table.keys),
        }
        yield dg.AssetCheckResult(check_name=EQUALS, asset_key=table.table, passed=table.clean, metadata=metadata)


@dg.multi_asset_check(
    name="lake_has_rows",
    specs=[
        dg.AssetCheckSpec("has_rows", asset=name, blocking=True, description="Nothing downstream makes sense without")
        for name in _FILLED
    ],
    can_subset=True,
)
def lake_has_rows(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """The tables that every mart reads hold something."""
    for name in sorted(key.asset_key.to_user_string() for key in context.selected_asset_check_keys):
        rows = recorded_rows(context.instance, name)
        yield dg.AssetCheckResult(check_name="has_rows", asset_key=name, passed=rows > 0, metadata={"rows": rows})


@dg.asset_check(
    asset="orders",
    blocking=True,
    description="Every key once and every reference answered, in the tables that marts read",
)
def state_is_whole(context: dg.AssetCheckExecutionContext, platform: Platform) -> dg.AssetCheckResult:
    """The lake's current state is one that Postgres can have had; the marts are not built from another."""
    read = {parent for model in read_project(platform.transforms.dbt_project) for parent in model.parents}
    tables = [table for table in platform.contract().tables if table.name in read]
    mark = recorded_watermark(context.instance, platform)
    found = faults(platform.warehouse.lake_uri, mark, tables)
    metadata: Metadata = {"lsn": mark.lsn, "tables": len(tables), "faults": "\n".join(found) or "none"}
    return dg.AssetCheckResult(passed=not found, metadata=metadata)


@dg.asset_check(asset="orders", name=IS_FRESH, description=f"The watermark is at most {_LAG_SECONDS:.0f} s old")
def is_fresh(platform: Platform) -> dg.AssetCheckResult:
    """Warns only: an idle shop is no fault, and CDC has its own health."""
    mark = platform.watermark()
    age = (datetime.now(UTC) - mark.created_at).total_seconds() if mark else float("inf")
    severity = dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=age <= _LAG_SECONDS, severity=severity, metadata={"age_seconds": round(min(age, 1e9), 1)}
    )
