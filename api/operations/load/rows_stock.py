"""Rows of stock: every change of stock, and the final levels."""

import polars as pl

from api.operations.load.history import History

# At equal times, arrivals come before sales.
_ORDER = ("initial", "return", "sale")


def movements(history: History, variants: pl.DataFrame, lines: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """Every change in the order it happened, with running quantities per variant.

    A variant starts with all units that it will sell plus `remaining`, so no step goes below zero. Sold
    units are deducted when the order is confirmed; returned units that are not written off are added when refunded; a
    cancelled order was never confirmed and has no changes.
    """
    sold = lines.filter(pl.col("confirmed_at").is_not_null())
    units = sold.group_by("variant_id").agg(pl.col("quantity").sum().alias("sold"))
    start = variants.join(units, on="variant_id", how="left", maintain_order="left").with_columns(
        initial=pl.col("remaining") + pl.col("sold").fill_null(0)
    )
    parts = [
        _changes(start, "initial", pl.col("initial"), "listed_at", None),
        _changes(sold, "sale", -pl.col("quantity"), "confirmed_at", "order_id"),
        _changes(returns.filter("restock"), "return", pl.col("quantity"), "refunded_at", "order_id"),
    ]
    running = pl.col("quantity_change").cum_sum().over("variant_id")
    moved = (
        pl.concat(parts)
        .filter(pl.col("quantity_change") != 0)
        .with_columns(pl.col("transaction_type").cast(pl.Enum(_ORDER)))
        .sort("created_at", "transaction_type", maintain_order=True)
        .with_row_index("transaction_key")
        .with_columns(new_quantity=running)
    )
    return moved.with_columns(
        previous_quantity=pl.col("new_quantity") - pl.col("quantity_change"),
        transaction_id=history.ids.column("transaction", moved["transaction_key"], moved["created_at"]),
    )


def inventory_transactions(moved: pl.DataFrame) -> pl.DataFrame:
    """The database assigns `transaction_no` in the order of these rows, which is chronological."""
    return moved.select(
        "transaction_id",
        "variant_id",
        "warehouse_id",
        "quantity_change",
        "transaction_type",
        "reference_id",
        "previous_quantity",
        "new_quantity",
        "created_at",
    )


def final_stock(variants: pl.DataFrame, moved: pl.DataFrame) -> pl.DataFrame:
    """variant_id, stock_quantity: the sum of every change; zero for a variant that never had any."""
    left = moved.group_by("variant_id").agg(pl.col("quantity_change").sum().alias("stock_quantity"))
    return (
        variants.select("variant_id")
        .join(left, on="variant_id", how="left")
        .with_columns(pl.col("stock_quantity").fill_null(0))
    )


def warehouse_stock(variants: pl.DataFrame, final: pl.DataFrame) -> pl.DataFrame:
    """The stock levels; a loaded variant is in one warehouse."""
    return variants.join(final, on="variant_id", maintain_order="left").select(
        "variant_id", "warehouse_id", pl.col("stock_quantity").alias("available")
    )


def _changes(frame: pl.DataFrame, kind: str, change: pl.Expr, at: str, reference: str | None) -> pl.DataFrame:
    return frame.select(
        "variant_id",
        "warehouse_id",
        change.cast(pl.Int64).alias("quantity_change"),
        pl.lit(kind).alias("transaction_type"),
        (pl.col(reference) if reference else pl.lit(None, dtype=pl.String)).alias("reference_id"),
        pl.col(at).alias("created_at"),
    )
