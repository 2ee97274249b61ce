"""Rows of payments, refunds and returns."""

import polars as pl

from api.operations.load.history import History
from api.operations.load.rows_catalog import money, with_ids
from api.operations.load.rows_orders import share


def keyed_returns(history: History, lines: pl.DataFrame) -> pl.DataFrame:
    """`history.returns` with the ids of the returned lines, and the refunds' parts by the shop's rule: units share
    their line's goods and tax, and what sending the order cost by `outbound`."""
    of_line = lines.select(
        *(
            "line_key",
            "line_id",
            "order_id",
            "order_key",
            "product_id",
            "variant_id",
            "seller_id",
            "warehouse_id",
            "customer_id",
        ),
        *("subtotal_cents", "goods_cents", "before_cents", "shipping_cents"),
        pl.col("tax_cents").alias("line_tax_cents"),
        pl.col("quantity").alias("bought"),
    )
    found = history.returns.join(of_line, on="line_key", maintain_order="left")
    found = _parted(found.with_columns(sent=pl.col("quantity") * pl.col("outbound").cast(pl.Int64)))
    return with_ids(history, found, "return", "requested_at").with_columns(
        refund_id=history.ids.column("refund", found["return_key"], found["refunded_at"])
    )


def _parted(returns: pl.DataFrame) -> pl.DataFrame:
    """`returns`, in the order in which they count, with goods_cents, tax_cents, shipping_cents and their sum."""
    units = pl.col("quantity").cum_sum().over("line_key")
    sent = pl.col("sent").cum_sum().over("line_key")
    before = pl.col("before_cents")
    fee = share(pl.col("shipping_cents"), before, before + pl.col("subtotal_cents"), pl.col("goods_cents"))
    return (
        returns.sort("return_key")
        .with_columns(fee_cents=fee, goods_back=pl.col("subtotal_cents") * pl.col("quantity") // pl.col("bought"))
        .with_columns(
            tax_back=share(pl.col("line_tax_cents"), units - pl.col("quantity"), units, pl.col("bought")),
            shipping_back=share(pl.col("fee_cents"), sent - pl.col("sent"), sent, pl.col("bought")),
        )
        .with_columns(refund_cents=pl.col("goods_back") + pl.col("tax_back") + pl.col("shipping_back"))
    )


def _parts(amount: str) -> tuple[pl.Expr, ...]:
    """The columns of a refund's amount and of its parts."""
    return (
        money("refund_cents").alias(amount),
        money("goods_back").alias("goods_amount"),
        money("tax_back").alias("tax_amount"),
        money("shipping_back").alias("shipping_amount"),
    )


def returns(keyed: pl.DataFrame) -> pl.DataFrame:
    """Refunded returns."""
    return keyed.select(
        "return_id",
        "order_id",
        pl.col("line_id").alias("order_item_id"),
        "product_id",
        "seller_id",
        pl.col("customer_id").alias("user_id"),
        "quantity",
        "reason",
        "reason_code",
        pl.lit("refunded").alias("status"),
        *_parts("refund_amount"),
        pl.lit("0.00").alias("shipping_tax"),
        pl.col("outbound").alias("outbound_refunded"),
        "refund_id",
        pl.col("restock").alias("restocked"),
        pl.lit("import").alias("origin"),
        pl.col("requested_at").alias("created_at"),
        pl.col("refunded_at").alias("updated_at"),
    )


def return_events(history: History, keyed: pl.DataFrame) -> pl.DataFrame:
    """Every return was requested and then refunded, at the times of the set; when it was approved is not known."""
    orders = history.orders.select("order_key", "currency")
    priced = keyed.join(orders, on="order_key", maintain_order="left")
    steps = [
        priced.select(
            "return_id",
            pl.lit(status).alias("to_status"),
            "order_id",
            pl.col("line_id").alias("order_item_id"),
            "seller_id",
            "quantity",
            *_parts("refund_amount"),
            "currency",
            pl.col(at).alias("created_at"),
        )
        for status, at in (("requested", "requested_at"), ("refunded", "refunded_at"))
    ]
    return pl.concat(steps)


def keyed_payments(history: History, orders: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """One payment per order: captured in full, or voided when the order was cancelled."""
    refunded = returns.group_by("order_key").agg(pl.col("refund_cents").sum().alias("refunded_cents"))
    payments = orders.join(refunded, on="order_key", how="left", maintain_order="left").with_columns(
        pl.col("refunded_cents").fill_null(0), payment_key=pl.col("order_key")
    )
    void = pl.col("status") == "cancelled"
    return with_ids(history, payments, "payment", "pending_at").with_columns(
        gateway_key="pay_" + pl.col("checkout_id"),
        payment_status=pl.when(void).then(pl.lit("voided")).otherwise(pl.lit("captured")),
        captured_cents=pl.when(void).then(0).otherwise(pl.col("total_cents")),
    )


def payments(keyed: pl.DataFrame) -> pl.DataFrame:
    """The gateway is the sandbox; its key derives from the checkout as it does in the shop."""
    return keyed.select(
        "payment_id",
        "order_id",
        "checkout_id",
        pl.lit("sandbox").alias("gateway"),
        "gateway_key",
        ("imp_" + pl.col("payment_id").str.replace_all("-", "", literal=True)).alias("gateway_reference"),
        pl.col("payment_method").alias("method_type"),
        pl.col("payment_status").alias("status"),
        money("total_cents").alias("amount"),
        money("captured_cents").alias("captured_amount"),
        money("refunded_cents").alias("refunded_amount"),
        "currency",
        pl.lit("import").alias("origin"),
        pl.col("pending_at").alias("created_at"),
        "updated_at",
    )


def refunds(returns: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """One refund per return."""
    of_order = payments.select("order_key", "payment_id")
    return returns.join(of_order, on="order_key", maintain_order="left").select(
        "refund_id",
        "payment_id",
        "order_id",
        ("ref_" + pl.col("return_id")).alias("gateway_key"),
        ("imp_" + pl.col("refund_id").str.replace_all("-", "", literal=True)).alias("gateway_reference"),
        *_parts("amount"),
        pl.lit("refunded").alias("status"),
        pl.lit("import").alias("origin"),
        pl.col("refunded_at").alias("created_at"),
    )
