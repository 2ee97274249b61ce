"""What each shopper bought, in order: the training input of sequential models."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

MAX_EVENTS = 2_000
"""Order lines kept per shopper, the newest. Models read the last 50 to 200; this bounds a row at about 200 kB."""

COLUMNS = ("user_id", "product_ids", "order_ids", "timestamps")


def interaction_sequences(lines: DataFrame, *, max_events: int = MAX_EVENTS) -> DataFrame:
    """One row per shopper: three arrays of one length, oldest first.

    lines: order_item_id, order_id, product_id, user_id, ordered_at. Guests (user_id null) are left out: they are not
    one shopper. Lines of one order keep the order of their ids, which is the order of the basket.
    """
    event = sf.struct("ordered_at", "order_id", "order_item_id", "product_id")
    grouped = (
        lines.where(sf.col("user_id").isNotNull())
        .groupBy("user_id")
        .agg(sf.array_sort(sf.collect_list(event)).alias("line"))
    )
    newest = sf.expr(f"slice(line, greatest(size(line) - {max_events:d} + 1, 1), {max_events:d})")
    return grouped.select("user_id", newest.alias("line")).select(
        "user_id",
        sf.col("line.product_id").alias("product_ids"),
        sf.col("line.order_id").alias("order_ids"),
        sf.col("line.ordered_at").alias("timestamps"),
    )
