"""Checks on the published marts."""

from dataclasses import dataclass

import dagster as dg
import duckdb

from orchestration.graph.resources import Platform
from transforms.settings import TransformSettings
from warehouse.lake.read import attach, connect, literal
from warehouse.lake.watermark import watermark_at


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


@dataclass(frozen=True)
class Totals:
    """currency -> (orders, money), on both sides at one LSN."""

    lsn: int
    mart: dict[str, tuple[int, str]]
    lake: dict[str, tuple[int, str]]


def compare_totals(settings: TransformSettings) -> Totals:
    """Sum the published fct_orders, and the lake's orders at the watermark in the published file, without withheld
    ones."""
    query = (
        "SELECT currency, count(*), sum(total)::VARCHAR FROM {} AS o WHERE NOT EXISTS (SELECT 1 FROM"
        " published.mart_withheld AS w WHERE w.kind = 'order' AND w.key = o.order_id) GROUP BY currency"
        " ORDER BY currency"
    )
    with connect() as con:
        con.execute(f"ATTACH {literal(str(settings.marts_path))} AS published (READ_ONLY)")
        lsn = _lsn(con)
        attach(con, settings.lake_uri, watermark_at(settings.lake_uri, lsn))
        mart, lake = (
            {str(c): (int(n), str(t)) for c, n, t in con.execute(query.format(name)).fetchall()}
            for name in ("published.fct_orders", "lake.orders")
        )
    return Totals(lsn, mart, lake)


def _lsn(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("SELECT lsn FROM published.mart_watermark").fetchone()
    return int(row[0]) if row else 0
