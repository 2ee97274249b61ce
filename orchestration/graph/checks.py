"""Checks between systems, declared on the assets they guard. `blocking` ones stop what lies downstream in the same run.

dbt's own tests are reported by the build itself (`dbt_tests` on each model).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import duckdb

from orchestration.graph.assets.lake import lake_tables
from orchestration.graph.metadata import Metadata
from orchestration.graph.resources import Platform
from transforms.settings import TransformSettings
from warehouse.lake.read import attach, connect, literal
from warehouse.lake.watermark import watermark_at
from warehouse.verify import verify_against_postgres

EQUALS = "equals_postgres"
_LAG_SECONDS = 300.0
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
    verdict = verify_against_postgres(settings.source_url, settings.lake_uri, platform.contract())
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
)
def lake_has_rows(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """The tables that every mart reads hold something."""
    for name in _FILLED:
        rows = recorded_rows(context.instance, name)
        yield dg.AssetCheckResult(check_name="has_rows", asset_key=name, passed=rows > 0, metadata={"rows": rows})


@dg.asset_check(asset="orders", description=f"The watermark is at most {_LAG_SECONDS:.0f} s old")
def is_fresh(platform: Platform) -> dg.AssetCheckResult:
    """Warns only: an idle shop is no fault, and CDC has its own health."""
    mark = platform.watermark()
    age = (datetime.now(UTC) - mark.created_at).total_seconds() if mark else float("inf")
    severity = dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=age <= _LAG_SECONDS, severity=severity, metadata={"age_seconds": round(min(age, 1e9), 1)}
    )


@dg.asset_check(
    asset="fct_orders",
    blocking=True,
    description="Orders and money by currency, mart against lake, at the mart's own watermark",
)
def totals_equal_lake(platform: Platform) -> dg.AssetCheckResult:
    """Nothing was lost or doubled between the lake and the published file."""
    settings = platform.transforms
    found = compare_totals(settings)
    return dg.AssetCheckResult(
        passed=found.mart == found.lake, metadata={"mart": str(found.mart), "lake": str(found.lake), "lsn": found.lsn}
    )


@dg.asset_check(
    asset="online_features", blocking=True, description="A sample of shoppers and the shop, Redis against Parquet"
)
def online_equals_offline(platform: Platform) -> dg.AssetCheckResult:
    """What a request reads is what training reads, value for value."""
    from orchestration.graph.feature_parity import compare_online  # feast

    found = compare_online(platform.features)
    metadata: Metadata = {"values": found.compared, "differing": "\n".join(found.differing) or "none"}
    return dg.AssetCheckResult(passed=found.compared > 0 and not found.differing, metadata=metadata)


@dg.asset_check(asset="recommender", description="NDCG@10 of what ships against popularity on the test weeks")
def beats_popularity(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Warns only: the promotion gate, which asks for a confident gain, keeps a weaker model from the shoppers."""
    shipped, popularity = (
        recorded_number(context.instance, "recommender", f"test_{name}_ndcg_at_10")
        for name in ("shipped", "popularity")
    )
    figures: Metadata = {"shipped": shipped, "popularity": popularity}
    return dg.AssetCheckResult(passed=shipped > popularity, severity=dg.AssetCheckSeverity.WARN, metadata=figures)


@dataclass(frozen=True)
class Totals:
    """currency -> (orders, money) on both sides at one LSN."""

    lsn: int
    mart: dict[str, tuple[int, str]]
    lake: dict[str, tuple[int, str]]


def compare_totals(settings: TransformSettings) -> Totals:
    """Sum the published fct_orders, and the lake's orders at the watermark the file names."""
    query = "SELECT currency, count(*), sum(total)::VARCHAR FROM {} GROUP BY currency ORDER BY currency"
    with connect() as con:
        con.execute(f"ATTACH {literal(str(settings.marts_path))} AS published (READ_ONLY)")
        lsn = _lsn(con)
        attach(con, settings.lake_uri, watermark_at(settings.lake_uri, lsn))
        mart, lake = (
            {str(c): (int(n), str(t)) for c, n, t in con.execute(query.format(name)).fetchall()}
            for name in ("published.fct_orders", "lake.orders")
        )
    return Totals(lsn, mart, lake)


def recorded_rows(instance: dg.DagsterInstance, asset: str) -> int:
    """Row count of an asset's latest materialisation, 0 when there is none."""
    return int(recorded_number(instance, asset, "dagster/row_count"))


def recorded_number(instance: dg.DagsterInstance, asset: str, name: str) -> float:
    """A number from an asset's latest materialisation, 0 when there is none."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    if event is None or event.asset_materialization is None or name not in event.asset_materialization.metadata:
        return 0.0
    return float(str(event.asset_materialization.metadata[name].value))


def _lsn(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("SELECT lsn FROM published.mart_watermark").fetchone()
    return int(row[0]) if row else 0
