"""The lake's derived tables that the jobs write: their columns, and the view dbt reads them through."""

import duckdb
import pyarrow as pa

from warehouse.lake.derived import derived_files, read_metadata
from warehouse.lake.objects import reach
from warehouse.lake.read import LakeStateError, literal, scan_sql

CO_PURCHASE = pa.schema(
    [
        pa.field("product_a", pa.string()),
        pa.field("product_b", pa.string()),
        pa.field("orders_together", pa.int64()),
        pa.field("orders_a", pa.int64()),
        pa.field("orders_b", pa.int64()),
        pa.field("support", pa.float64()),
        pa.field("confidence", pa.float64()),
        pa.field("lift", pa.float64()),
    ]
)
INTERACTION_SEQUENCES = pa.schema(
    [
        pa.field("user_id", pa.string()),
        pa.field("product_ids", pa.list_(pa.string())),
        pa.field("order_ids", pa.list_(pa.string())),
        pa.field("timestamps", pa.list_(pa.timestamp("us", tz="UTC"))),
    ]
)


def co_purchase_sql(lake: str) -> str:
    """A SELECT of the newest committed pairs with the watermark they were computed at.

    It has no rows before the jobs' first run. It names files, not the table: a run that commits meanwhile does not
    change it, and the vacuum keeps replaced files for a day.
    """
    try:
        version, metadata = read_metadata(lake, "co_purchase")
        files, lsn, text = (
            derived_files(lake, "co_purchase", version),
            metadata["watermarkLsn"],
            literal(metadata["watermarkLsnText"]),
        )
    except LakeStateError:
        files, lsn, text = [], "NULL", "NULL"
    return (
        f"SELECT *, {lsn}::BIGINT AS watermark_lsn, {text}::VARCHAR AS watermark_lsn_text"
        f" FROM ({scan_sql(tuple(files), CO_PURCHASE)})"
    )


def attach_co_purchase(con: duckdb.DuckDBPyConnection, lake: str, schema: str = "derived") -> None:
    """The view `co_purchase` of the newest pairs."""
    reach(con, lake)
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    con.execute(f"CREATE OR REPLACE VIEW {schema}.co_purchase AS {co_purchase_sql(lake)}")
