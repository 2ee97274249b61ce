"""A retail set as a History, and the report of every line that is not in it."""

from datetime import datetime, timedelta

import orjson
import polars as pl

from api.operations.load.errors import DataFileError
from api.operations.load.history import STATES, History, delivered_timeline
from api.operations.load.ids import Ids
from api.operations.load.online_retail.classify import classify
from api.operations.load.online_retail.files import Files, read_lines
from api.operations.load.online_retail.groups import Groups, Item, group
from api.operations.load.online_retail.returns import match
from api.operations.load.online_retail.titles import display_title

CURRENCY = "GBP"
# An order of which every unit was returned within a day counts as a mistake: it is loaded as
# cancelled, and its payment as never captured.
CANCELLED_WITHIN = timedelta(hours=24)
PLACES = (
    ("GB-LTN", "Luton warehouse", "Luton", 51.8787, -0.4200),
    ("GB-MAN", "Manchester warehouse", "Manchester", 53.4808, -2.2426),
    ("GB-GLA", "Glasgow warehouse", "Glasgow", 55.8642, -4.2518),
)
UTC_US = pl.Datetime("us", "UTC")


def build_online_retail(files: Files, fingerprint: str) -> History:
    """Deterministic in the files. Raises: DataFileError."""
    ids = Ids(f"online-retail:{fingerprint}")
    lines = classify(read_lines(files))
    lines, orders = _orders(lines)
    if orders.height == 0:
        raise DataFileError(files.lines, None, None, "no line sells a product: nothing to load")
    sales = (
        lines.filter(pl.col("part") == "sale")
        .with_row_index("line_key")
        .with_columns(pl.col("line_key").cast(pl.Int64))
    )
    matches, missing = match(sales, lines.filter(pl.col("part") == "back"))
    products, variants, groups = _catalog(ids, sales)
    customers = _customers(lines)
    orders = orders.join(
        customers.select("customer_key", "customer_id"), on="customer_id", how="left", maintain_order="left"
    )
    orders, returns, cancelled = _outcome(ids, orders, sales, matches)
    codes = variants.select("variant_key", "item_id")
    first = lines.sort("ts", "line")["ts"][0]
    opened_at: datetime = first - timedelta(days=7)
    return History(
        kind="online-retail",
        fingerprint=fingerprint,
        ids=ids,
        currency=CURRENCY,
        opened_at=opened_at,
        categories=_categories(groups),
        warehouses=_warehouses(),
        sellers=_sellers(groups),
        customers=customers,
        products=products.with_columns(listed_at=pl.lit(opened_at, dtype=UTC_US)),
        variants=variants.drop("item_id"),
        orders=orders,
        lines=sales.join(codes, on="item_id", maintain_order="left").select(
            *("line_key", "order_key", "variant_key", "quantity", pl.col("cents").alias("price_cents")),
            pl.lit("0").alias("tax_rate"),
            pl.lit(0, dtype=pl.Int64).alias("tax_cents"),
        ),
        returns=returns,
        report=_report(lines, missing),
        facts={"lines": _account(lines, matches, missing, cancelled)},
    )


def _orders(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines with `order_key`, and one row per order with a product sold; shipping lines of other orders are reported.

    An order is an order number of one customer: the copy's order numbers are reconstructed, and a
    number shared by two customers is two orders.
    """
    sold = lines.filter(pl.col("part") == "sale")
    number = ["order_id", "customer_id"]
    found = sold.group_by(number).agg(
        pl.col("ts").min().alias("pending_at"), pl.col("country").first(), pl.col("line").min()
    )
    found = (
        found.sort("pending_at", "line")
        .drop("line")
        .with_row_index("order_key")
        .with_columns(pl.col("order_key").cast(pl.Int64))
    )
    keyed = lines.join(
        found.select("order_key", *number), on=number, how="left", nulls_equal=True, maintain_order="left"
    )
    alone = (pl.col("part") == "shipping") & pl.col("order_key").is_null()
    keyed = keyed.with_columns(
        part=pl.when(alone).then(pl.lit("report:shipping-without-products")).otherwise(pl.col("part"))
    )
    shipping = keyed.filter(pl.col("part") == "shipping").group_by("order_key")
    fees = shipping.agg((pl.col("quantity") * pl.col("cents")).sum().alias("shipping_cents"))
    orders = found.join(fees, on="order_key", how="left", maintain_order="left").with_columns(
        pl.col("shipping_cents").fill_null(0)
    )
    return keyed, orders


def _customers(lines: pl.DataFrame) -> pl.DataFrame:
    """Every customer with a number, from their first line."""
    first = (
        lines.filter(pl.col("customer_id").is_not_null())
        .group_by("customer_id")
        .agg(pl.col("ts").min().alias("joined_at"))
    )
    slug = pl.col("customer_id").str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "-")
    return (
        first.sort("customer_id")
        .with_row_index("customer_key")
        .select(
            pl.col("customer_key").cast(pl.Int64),
            "customer_id",
            ("Customer " + pl.col("customer_id")).alias("name"),
            ("customer-" + slug + "@import.invalid").alias("email"),
            "joined_at",
        )
    )


def _catalog(ids: Ids, sales: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, Groups]:
    """One product with one variant per item that was sold; price = median of the real prices."""
    items = (
        sales.group_by("item_id")
        .agg(
            pl.col("title").first(),
            pl.len().alias("trade"),
            pl.col("cents").median().round().cast(pl.Int64),
            pl.col("quantity").sum(),
        )
        .sort("item_id")
        .with_row_index("product_key")
        .with_columns(pl.col("product_key").cast(pl.Int64))
    )
    groups = group(
        [Item(item_id, title, trade) for item_id, title, trade in items.select("item_id", "title", "trade").iter_rows()]
    )
    place = {path: key for key, path in enumerate(groups.categories())}
    rows = []
    taken: set[str] = set()
    for row in items.iter_rows(named=True):
        title = display_title(row["title"])
        title = title if title not in taken else f"{title} ({row['item_id']})"
        taken.add(title)
        specifications = {
            "originalTitle": row["title"],
            "itemCode": row["item_id"],
            "sellerRule": "derived",
            "categoryRule": "derived",
        }
        rows.append(
            {
                "product_key": row["product_key"],
                "seller_key": groups.seller_of[row["item_id"]],
                "category_key": place[groups.path_of[row["item_id"]]],
                "title": title,
                "description": None,
                "brand": None,
                "price_cents": max(1, row["cents"]),
                "list_price_cents": None,
                "prime_eligible": False,
                "specifications": orjson.dumps(specifications).decode(),
            }
        )
    products = pl.DataFrame(
        rows, schema_overrides={"description": pl.String, "brand": pl.String, "list_price_cents": pl.Int64}
    )
    return products, _variants(ids, items), groups


def _variants(ids: Ids, items: pl.DataFrame) -> pl.DataFrame:
    """Remaining stock: 1 to 15 units of one item in twelve; of the others two to six
    weeks of their average sales, at least 16."""
    keys = items["product_key"]
    luck = pl.Series("luck", ids.fraction("remaining", keys))
    weeks = 2 + pl.Series("weeks", ids.fraction("remaining.weeks", keys)) * 4
    scarce = (1 + (weeks - 2) / 4 * 15).floor().cast(pl.Int64).clip(1, 15)
    plenty = (items["quantity"] / 52 * weeks).ceil().cast(pl.Int64).clip(16, 100_000)
    return items.select(
        pl.col("product_key").alias("variant_key"),
        "product_key",
        ("OR-" + pl.col("item_id")).alias("sku"),
        pl.lit("{}").alias("attributes"),
        pl.col("cents").clip(1).alias("price_cents"),
        pl.when(luck < 1 / 12).then(scarce).otherwise(plenty).alias("remaining"),
        (pl.Series("warehouse", ids.noise("warehouse", keys) % len(PLACES)).cast(pl.Int64)).alias("warehouse_key"),
        "item_id",
    )


def _categories(groups: Groups) -> pl.DataFrame:
    paths = list(groups.categories())
    place = {path: key for key, path in enumerate(paths)}
    rows = [
        {
            "category_key": place[top, sub],
            "parent_key": None if sub is None else place[top, None],
            "name": sub or top,
            "path": f"/{top}" if sub is None else f"/{top}/{sub}",
            "level": 0 if sub is None else 1,
        }
        for top, sub in paths
    ]
    return pl.DataFrame(rows, schema_overrides={"parent_key": pl.Int64})


def _sellers(groups: Groups) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"seller_key": key, "name": name, "email": f"seller-{key + 1}@import.invalid", "country": "United Kingdom"}
            for key, name in enumerate(groups.seller_names)
        ]
    )


def _warehouses() -> pl.DataFrame:
    names = ("code", "name", "city", "latitude", "longitude")
    return pl.DataFrame(
        [
            {
                "warehouse_key": key,
                **dict(zip(names, place, strict=True)),
                "country": "United Kingdom",
                "time_zone": "Europe/London",
            }
            for key, place in enumerate(PLACES)
        ]
    )


def _outcome(
    ids: Ids, orders: pl.DataFrame, sales: pl.DataFrame, matches: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """(orders in the form of History, returns, cancelled order_keys)."""
    back = matches.join(sales.select("line_key", "order_key"), on="line_key", maintain_order="left")
    units = sales.group_by("order_key").agg(pl.col("quantity").sum().alias("units"))
    came = back.group_by("order_key").agg(
        pl.col("quantity").sum().alias("came_back"),
        pl.col("at").min().alias("first_back"),
        pl.col("at").max().alias("last_back"),
    )
    orders = orders.join(units, on="order_key", maintain_order="left").join(
        came, on="order_key", how="left", maintain_order="left"
    )
    everything = (pl.col("came_back") == pl.col("units")).fill_null(value=False)
    soon = (pl.col("last_back") - pl.col("pending_at") <= CANCELLED_WITHIN).fill_null(value=False)
    orders = orders.with_columns(is_cancelled=everything & soon, is_refunded=everything & ~soon)
    orders = _states(delivered_timeline(ids, orders))
    cancelled = orders.filter("is_cancelled").select("order_key")
    returns = (
        back.join(cancelled, on="order_key", how="anti").sort("at", "line", "line_key").with_row_index("return_key")
    )
    returns = returns.select(
        pl.col("return_key").cast(pl.Int64),
        "line_key",
        "quantity",
        pl.lit("Not recorded").alias("reason"),
        pl.lit("other").alias("reason_code"),
        # The set's credit lines are for goods; it never gives a shipping line back.
        pl.lit(value=False).alias("outbound"),
        pl.lit(value=True).alias("restock"),
        pl.col("at").alias("requested_at"),
        pl.col("at").alias("refunded_at"),
    )
    return _describe(orders), returns, cancelled


def _states(orders: pl.DataFrame) -> pl.DataFrame:
    """The seeded timeline, shortened when goods were returned before its
    delivery time, and ended by the order's outcome."""
    span = (pl.col("delivered_at") - pl.col("pending_at")).dt.total_microseconds()
    room = (pl.col("first_back") - pl.col("pending_at")).dt.total_microseconds()
    squeeze = pl.when(room < span).then(room * 0.95 / span).otherwise(1.0).fill_null(1.0)

    def drawn(state: str) -> pl.Expr:
        gap = (pl.col(state) - pl.col("pending_at")).dt.total_microseconds() * squeeze
        return (pl.col("pending_at") + gap.cast(pl.Int64).cast(pl.Duration("us"))).alias(state)

    never = pl.lit(None, dtype=UTC_US)
    orders = orders.with_columns([drawn(f"{state}_at") for state in STATES[1:5]])
    return orders.with_columns(
        *(
            pl.when("is_cancelled").then(never).otherwise(pl.col(f"{state}_at")).alias(f"{state}_at")
            for state in STATES[1:5]
        ),
        pl.when("is_refunded").then(pl.col("first_back")).otherwise(never).alias("return_requested_at"),
        pl.when("is_refunded").then(pl.col("last_back")).otherwise(never).alias("return_approved_at"),
        pl.when("is_refunded").then(pl.col("last_back")).otherwise(never).alias("refunded_at"),
        pl.when("is_cancelled").then(pl.col("last_back")).otherwise(never).alias("cancelled_at"),
    )


def _describe(orders: pl.DataFrame) -> pl.DataFrame:
    """Data that the set lacks: addresses except for the country, and the payment method.

    The set does not say what tax its prices contain, so tax is 0.
    """
    unknown = (
        '{"street": "Not recorded", "city": "Not recorded", "state": "Not recorded", "zipCode": "Not recorded",'
        ' "country": "'
    )
    return orders.drop("order_id", "customer_id").with_columns(
        currency=pl.lit(CURRENCY),
        shipping_address=unknown + pl.col("country").str.replace_all('"', "'", literal=True) + '"}',
        payment_method=pl.lit("card"),
        delivery_speed=pl.lit("standard"),
        tax_cents=pl.lit(0, dtype=pl.Int64),
    )


def _report(lines: pl.DataFrame, missing: pl.DataFrame) -> pl.DataFrame:
    """Every line that was not loaded, or only in part: the original line, the reason, and
    how many returned units match no purchase."""
    dropped = lines.filter(pl.col("part").str.starts_with("report:")).with_columns(
        reason=pl.col("part").str.strip_prefix("report:"), units=pl.lit(None, dtype=pl.Int64)
    )
    unmatched = lines.join(missing, on="line")
    columns = [
        "line",
        "order_id",
        "ts",
        "customer_id",
        "country",
        "item_id",
        "title",
        "quantity",
        "price",
        "reason",
        "units",
    ]
    return pl.concat([dropped.select(columns), unmatched.select(columns)]).sort("line")


def _account(
    lines: pl.DataFrame, matches: pl.DataFrame, missing: pl.DataFrame, cancelled: pl.DataFrame
) -> dict[str, object]:
    """The number of lines by outcome; sold, shipping, givenBack and reported add up to `total`."""
    returned = lines.filter(pl.col("part") == "back")
    whole = returned.join(missing, on="line", how="anti")
    reasons = (
        lines.filter(pl.col("part").str.starts_with("report:"))["part"].str.strip_prefix("report:").to_list()
        + missing["reason"].to_list()
    )
    counted = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
    return {
        "total": lines.height,
        "sold": int((lines["part"] == "sale").sum()),
        "shipping": int((lines["part"] == "shipping").sum()),
        "givenBack": whole.height,
        "reported": len(reasons),
        "reportedByReason": counted,
        "givenBackInPart": missing.filter(pl.col("reason") == "return-exceeds-purchases").height,
        "ordersCancelled": cancelled.height,
    }
