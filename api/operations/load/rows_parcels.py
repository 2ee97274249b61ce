"""Rows of parcels: one per order, seller and warehouse, which took the steps of its order at their times."""

import polars as pl

from api.operations.load.history import History


def with_parcels(history: History, lines: pl.DataFrame) -> pl.DataFrame:
    """Keyed lines with the `parcel_id` of each; a parcel has the key of its first line."""
    place = ("order_key", "seller_id", "warehouse_id")
    keyed = lines.with_columns(parcel_key=pl.col("line_key").min().over(place))
    return keyed.with_columns(parcel_id=history.ids.column("parcel", keyed["parcel_key"], keyed["pending_at"]))


def keyed_parcels(lines: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """One row per parcel, with its number in the order and the order's times, in order of time."""
    places = lines.unique("parcel_key", maintain_order=True).select(
        "parcel_key", "parcel_id", "order_key", "seller_id", "warehouse_id"
    )
    times = orders.select(
        *("order_key", "order_id", "status", "pending_at", "processing_at", "shipped_at", "delivered_at", "updated_at")
    )
    return places.with_columns(number=pl.col("parcel_key").rank("ordinal").over("order_key").cast(pl.Int32)).join(
        times, on="order_key", maintain_order="left"
    )


def parcels(keyed: pl.DataFrame) -> pl.DataFrame:
    """The rows. Who carried them is not known."""
    return keyed.select(
        "parcel_id",
        "order_id",
        "number",
        "seller_id",
        "warehouse_id",
        "status",
        pl.col("pending_at").dt.offset_by("5d").dt.date().cast(pl.String).alias("promised_on"),
        pl.col("processing_at").alias("begun_at"),
        "shipped_at",
        "delivered_at",
        pl.lit("import").alias("origin"),
        pl.col("pending_at").alias("created_at"),
        "updated_at",
    )


def parcel_events(parcels: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """The steps of each parcel's order, as the parcel's."""
    return (
        parcels.select("order_key", "parcel_id")
        .join(steps, on="order_key", maintain_order="left_right")
        .select(
            "parcel_id",
            "sequence",
            "from_status",
            "to_status",
            pl.lit("service").alias("actor_kind"),
            pl.lit("loaded history").alias("reason"),
            pl.col("at").alias("created_at"),
        )
    )
