"""Rows of orders: lines, steps through the state machine, amounts, and the events that count as delivered."""

import polars as pl

from api.catalog.artwork import PATH as _PICTURE
from api.operations.load.history import STATES, History
from api.operations.load.rows_catalog import id_map, money, with_ids
from api.operations.load.rows_parcels import with_parcels
from api.orders.returns.policy import window_days
from api.orders.states import EVENT_OF
from api.pricing.tax_table import STANDARD


def keyed_orders(history: History) -> pl.DataFrame:
    """`history.orders` with ids, number, amounts in cents, final status and
    the time of the last step; sorted by time."""
    totals = history.lines.group_by("order_key").agg(
        (pl.col("quantity") * pl.col("price_cents")).sum().alias("subtotal_cents")
    )
    last = pl.max_horizontal([f"{state}_at" for state in STATES])
    status = pl.coalesce([pl.when(pl.col(f"{state}_at") == last).then(pl.lit(state)) for state in reversed(STATES)])
    orders = (
        history.orders.join(totals, on="order_key", maintain_order="left")
        .with_columns(
            total_cents=pl.col("subtotal_cents") + pl.col("tax_cents") + pl.col("shipping_cents"),
            status=status,
            updated_at=last,
        )
        .join(
            id_map(history, history.customers, "customer", "joined_at"),
            on="customer_key",
            how="left",
            maintain_order="left",
        )
        .sort("pending_at", "order_key")
    )
    digits = (
        pl.Series("order_number", history.ids.noise("order_number", orders["order_key"]) % 10**14)
        .cast(pl.String)
        .str.zfill(14)
    )
    return with_ids(history, orders, "order", "pending_at").with_columns(
        order_number="112-" + digits.str.slice(0, 7) + "-" + digits.str.slice(7),
        checkout_id=history.ids.column("checkout", orders["order_key"], orders["pending_at"]),
    )


def orders(keyed: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """One row per order; `returns` are refunded."""
    refunded = returns.group_by("order_key").agg(pl.col("refund_cents").sum().alias("refunded_cents"))
    keyed = keyed.join(refunded, on="order_key", how="left", maintain_order="left")
    payment_status = (
        pl.when(pl.col("status") == "cancelled")
        .then(pl.lit("voided"))
        .when(pl.col("refunded_cents") == pl.col("total_cents"))
        .then(pl.lit("refunded"))
        .when(pl.col("refunded_cents") > 0)
        .then(pl.lit("partially_refunded"))
        .otherwise(pl.lit("paid"))
    )
    return keyed.select(
        "order_id",
        "order_number",
        pl.col("customer_id").alias("user_id"),
        "status",
        "currency",
        money("subtotal_cents").alias("subtotal"),
        money("tax_cents").alias("tax"),
        money("shipping_cents").alias("shipping_fee"),
        money("total_cents").alias("total"),
        "payment_method",
        payment_status.alias("payment_status"),
        "shipping_address",
        "country",
        "delivery_speed",
        (pl.col("pending_at").dt.offset_by("5d")).dt.date().cast(pl.String).alias("estimated_delivery"),
        pl.col("delivered_at").alias("actual_delivery"),
        pl.lit("import").alias("origin"),
        pl.col("pending_at").alias("created_at"),
        "updated_at",
    )


def keyed_lines(history: History, orders: pl.DataFrame, variants: pl.DataFrame) -> pl.DataFrame:
    """`history.lines` with the ids they refer to, their parcels and their order's times, in order of time."""
    of_order = orders.select(
        *("order_key", "order_id", "status", "pending_at", "confirmed_at", "cancelled_at", "customer_id"),
        pl.col("subtotal_cents").alias("goods_cents"),
        "shipping_cents",
    )
    of_variant = variants.select(
        *("variant_key", "product_key", "variant_id", "product_id", "seller_id", "warehouse_id", "sku", "attributes")
    )
    lines = (
        history.lines.join(of_order, on="order_key", maintain_order="left")
        .join(of_variant, on="variant_key", maintain_order="left")
        .sort("pending_at", "line_key")
    )
    lines = lines.with_columns(subtotal_cents=pl.col("quantity") * pl.col("price_cents"))
    return with_parcels(history, _with_place(with_ids(history, lines, "line", "pending_at")))


def _with_place(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with the goods of the order's lines before each, by id: where its share of the shipping fee lies."""
    place = lines.select("order_key", "line_id", "line_key", "subtotal_cents").sort("order_key", "line_id")
    before = pl.col("subtotal_cents").cum_sum().over("order_key") - pl.col("subtotal_cents")
    return lines.join(place.select("line_key", before_cents=before), on="line_key", maintain_order="left")


def share(cents: pl.Expr, before: pl.Expr, up_to: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """`api.kernel.money.share` in whole cents."""

    def rounded(part: pl.Expr) -> pl.Expr:
        return (2 * cents * part + whole.clip(1)) // (2 * whole.clip(1))

    return rounded(up_to) - rounded(before)


def order_items(history: History, lines: pl.DataFrame) -> pl.DataFrame:
    """One row per line as it was bought. No set says what a product was called then: its words are the catalog's."""
    days = {path: window_days(path) for path in history.categories["path"]}
    windows = history.categories.select("category_key", pl.col("path").replace_strict(days).alias("return_days"))
    listed = history.products.join(windows, on="category_key").select(
        *("product_key", "title", "list_price_cents", "return_days"), pl.col("price_cents").alias("product_cents")
    )
    above = pl.col("list_price_cents") - pl.col("product_cents")
    return (
        lines.join(listed, on="product_key", maintain_order="left")
        .with_columns(listed_cents=pl.col("price_cents") + above)
        .select(
            pl.col("line_id").alias("order_item_id"),
            *("order_id", "product_id", "variant_id", "seller_id", "warehouse_id", "parcel_id", "quantity"),
            money("price_cents").alias("price_at_purchase"),
            money("subtotal_cents").alias("subtotal"),
            *("title", "sku", "attributes"),
            pl.format(_PICTURE, "product_id").alias("image_url"),
            money("listed_cents").alias("list_price"),
            "tax_rate",
            money("tax_cents").alias("tax_amount"),
            pl.lit(STANDARD).alias("tax_class"),
            "return_days",
            "status",
            pl.col("pending_at").alias("created_at"),
        )
    )


def steps(history: History, orders: pl.DataFrame) -> pl.DataFrame:
    """The dense path of every order: step_key, order columns, sequence from 1,
    from_status (null first), to_status, at."""
    times = [f"{state}_at" for state in STATES]
    index = ["order_key", "order_id", "order_number", "currency", "total_cents"]
    path = (
        orders.select(*index, *times)
        .unpivot(times, index=index, variable_name="to_status", value_name="at")
        .drop_nulls("at")
        .with_columns(pl.col("to_status").str.strip_suffix("_at").cast(pl.Enum(STATES)))
        .sort("order_key", "to_status")
        .with_columns(
            pl.col("to_status").cum_count().over("order_key").alias("sequence"), pl.col("to_status").cast(pl.String)
        )
        .with_columns(pl.col("to_status").shift(1).over("order_key").alias("from_status"))
        .with_columns(step_key=pl.col("order_key") * len(STATES) + pl.col("sequence"))
        .sort("at", "step_key")
    )
    return with_ids(history, path, "step", "at")


def order_events(steps: pl.DataFrame) -> pl.DataFrame:
    """History rows; the actor is the service, the reason says that it was loaded."""
    return steps.select(
        pl.col("step_id").alias("order_event_id"),
        "order_id",
        "sequence",
        "from_status",
        "to_status",
        pl.lit("service").alias("actor_kind"),
        pl.lit("loaded history").alias("reason"),
        pl.col("at").alias("created_at"),
    )


def outbox_events(history: History, steps: pl.DataFrame) -> pl.DataFrame:
    """One event per step, published at its own time, so that no relay sends it."""
    payload = pl.struct(
        pl.col("order_id").alias("orderId"),
        pl.col("order_number").alias("orderNumber"),
        pl.col("from_status").alias("from"),
        pl.col("to_status").alias("to"),
        (pl.col("total_cents") / 100).alias("total"),
        "currency",
    ).struct.json_encode()
    return steps.select(
        history.ids.column("event", steps["step_key"], steps["at"]).alias("event_id"),
        pl.lit("order").alias("aggregate_type"),
        pl.col("order_id").alias("aggregate_id"),
        "sequence",
        pl.col("to_status").replace_strict(dict(EVENT_OF), return_dtype=pl.String).alias("event_type"),
        payload.alias("payload"),
        pl.lit("import").alias("origin"),
        pl.col("at").alias("created_at"),
        pl.col("at").alias("published_at"),
    )
