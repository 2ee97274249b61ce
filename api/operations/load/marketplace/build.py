"""The whole generated history from (products, shoppers, orders, seed) and the instant at which it ends."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
from numpy.random import Generator

from api.operations.load.history import STATES, History, delivered_timeline
from api.operations.load.ids import Ids
from api.operations.load.marketplace.catalog import UTC_US, build_catalog
from api.operations.load.marketplace.reviews import build_reviews, build_votes
from api.operations.load.marketplace.sales import (
    CANCELLED_SHARE,
    DAYS,
    REASONS,
    RETURN_SHARE,
    addresses,
    build_customers,
    build_sales,
)
from api.operations.load.marketplace.warehouses import CITIES
from api.orders.returns.policy import POLICIES
from api.pricing.shipping import STANDARD_SENDING
from api.pricing.tariff import Tariff
from api.pricing.tax import TaxTerms
from api.pricing.tax_table import STANDARD

CURRENCY = "USD"
_OUTBOUND = {words: POLICIES[code].outbound for words, code in REASONS.items()}
_RESTOCK = {words: POLICIES[code].restock for words, code in REASONS.items()}


@dataclass(frozen=True)
class Size:
    """The size of a marketplace.

    Its fingerprint is size and seed, independent of the time at which it was generated.
    """

    products: int = 2_400
    shoppers: int = 5_000
    orders: int = 30_000
    seed: int = 1

    @property
    def fingerprint(self) -> str:
        return f"products={self.products},shoppers={self.shoppers},orders={self.orders},seed={self.seed}"


def build_marketplace(size: Size, tariff: Tariff, until: datetime) -> History:
    """Deterministic in its arguments. `until`: aware; orders lie in the DAYS before it."""
    until = until.astimezone(UTC)
    opened_at = (until - timedelta(days=DAYS + 30)).replace(hour=0, minute=0, second=0, microsecond=0)
    ids = Ids(f"marketplace:{size.fingerprint}")
    random = np.random.default_rng(size.seed)
    catalog = build_catalog(random, size.products, opened_at)
    customers = build_customers(random, size.shoppers, opened_at)
    bought = build_sales(random, catalog, customers, size.orders, until)
    lines = _lines(random, bought, catalog.variants)
    lines = _taxed(lines, tariff.tax)
    orders = _orders(ids, bought, lines, addresses(random, customers), tariff=tariff, until=until)
    lines = lines.select("line_key", "order_key", "variant_key", "quantity", "price_cents", "tax_rate", "tax_cents")
    returns = _returns(random, orders, lines, until)
    orders = _returned_whole(orders, lines, returns)
    bought_by = bought.select("order_key", "customer_key", "product_key")
    reviews = build_reviews(ids, catalog.products, orders, bought_by, customers=customers.height, until=until)
    return History(
        kind="marketplace",
        fingerprint=size.fingerprint,
        ids=ids,
        currency=CURRENCY,
        opened_at=opened_at,
        categories=catalog.categories,
        warehouses=_warehouses(),
        sellers=catalog.sellers,
        customers=customers,
        products=catalog.products,
        variants=catalog.variants,
        orders=orders,
        lines=lines,
        returns=returns,
        reviews=reviews,
        votes=build_votes(ids, reviews, customers.height),
        facts={"until": until.isoformat(), "generated": True},
    )


def _warehouses() -> pl.DataFrame:
    rows = [
        {"warehouse_key": key, "name": f"{place.city} fulfilment centre", "country": "US", **asdict(place)}
        for key, place in enumerate(CITIES)
    ]
    return pl.DataFrame(rows)


def _lines(random: Generator, bought: pl.DataFrame, variants: pl.DataFrame) -> pl.DataFrame:
    """One of the product's variants for each line, at the variant's price; half of the lines take the first one."""
    span = variants.group_by("product_key").agg(pl.col("variant_key").min().alias("first"), pl.len().alias("count"))
    luck = pl.Series("luck", random.random(bought.height))
    picked = (
        bought.join(span, on="product_key", maintain_order="left")
        .with_columns(luck)
        .with_columns(
            variant_key=pl.col("first") + ((pl.col("luck") - 0.5).clip(0) * 2 * pl.col("count")).floor().cast(pl.Int64)
        )
    )
    return picked.join(variants.select("variant_key", "price_cents"), on="variant_key", maintain_order="left")


def _taxed(lines: pl.DataFrame, terms: TaxTerms) -> pl.DataFrame:
    """Each line with its tax, on top of the price, by the rule of the shop."""
    cents = (lines["quantity"] * lines["price_cents"]).to_list()
    taxes = [int(terms.on_goods(Decimal(amount).scaleb(-2)).scaleb(2)) for amount in cents]
    rate = pl.lit(str(terms.rate(STANDARD))).alias("tax_rate")
    return lines.with_columns(pl.Series("tax_cents", taxes, dtype=pl.Int64), rate)


def _orders(
    ids: Ids, bought: pl.DataFrame, lines: pl.DataFrame, address: pl.DataFrame, *, tariff: Tariff, until: datetime
) -> pl.DataFrame:
    """Totals by the shop's rules; steps after `until` have not happened yet; a few orders
    were cancelled before payment was taken."""
    amounts_of = (pl.col("quantity") * pl.col("price_cents")).sum().alias("subtotal"), pl.col("tax_cents").sum()
    subtotal = lines.group_by("order_key").agg(*amounts_of)
    placed = (
        bought.select("order_key", "customer_key", pl.col("placed_at").alias("pending_at"))
        .unique("order_key")
        .sort("order_key")
    )
    orders = placed.join(subtotal, on="order_key", maintain_order="left").join(
        address, on="customer_key", maintain_order="left"
    )
    amounts = [Decimal(cents).scaleb(-2) for cents in orders["subtotal"].to_list()]
    orders = orders.with_columns(
        pl.Series("shipping_cents", [_shipping_cents(tariff, amount) for amount in amounts], dtype=pl.Int64),
        currency=pl.lit(CURRENCY),
        country=pl.lit("US"),
        payment_method=pl.lit("card"),
        delivery_speed=pl.lit("standard"),
    ).drop("subtotal")
    orders = delivered_timeline(ids, orders)
    cancelled = pl.Series(ids.fraction("cancelled", orders["order_key"]) < CANCELLED_SHARE)
    never = pl.lit(None, dtype=UTC_US)
    orders = orders.with_columns(
        cancelled_at=pl.when(cancelled).then(pl.col("pending_at") + pl.duration(minutes=7)).otherwise(never)
    )
    orders = orders.with_columns(
        pl.when(pl.col("cancelled_at").is_null()).then(pl.col(f"{state}_at")).otherwise(never).alias(f"{state}_at")
        for state in STATES[1:5]
    )
    return orders.with_columns(
        pl.when(pl.col(f"{state}_at") <= until).then(pl.col(f"{state}_at")).otherwise(never).alias(f"{state}_at")
        for state in STATES[1:]
    ).pipe(_pay_everything)


def _shipping_cents(tariff: Tariff, amount: Decimal) -> int:
    return int(tariff.shipping.charge(amount, 0, prime=False, sending=STANDARD_SENDING).amount.scaleb(2))


def _pay_everything(orders: pl.DataFrame) -> pl.DataFrame:
    """Confirm orders of the last minute: they would be pending without a payment,
    and loaded history has no open checkouts."""
    open_ = pl.col("confirmed_at").is_null() & pl.col("cancelled_at").is_null()
    return orders.with_columns(confirmed_at=pl.when(open_).then(pl.col("pending_at")).otherwise(pl.col("confirmed_at")))


def _returns(random: Generator, orders: pl.DataFrame, lines: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """In RETURN_SHARE of the delivered orders one line is returned, in full, some days later."""
    back = orders.filter(pl.col("delivered_at").is_not_null()).select("order_key", "delivered_at")
    back = back.filter(pl.Series(random.random(back.height) < RETURN_SHARE))
    days = (
        pl.Series("days", (random.random(back.height) * 12 + 1) * 86_400_000_000).cast(pl.Int64).cast(pl.Duration("us"))
    )
    words_of = tuple(REASONS)
    reasons = [words_of[i] for i in random.integers(0, len(REASONS), back.height)]
    first = lines.group_by("order_key").agg(pl.col("line_key").min(), pl.col("quantity").sort_by("line_key").first())
    return (
        back.with_columns(pl.Series("reason", reasons, dtype=pl.String), requested_at=pl.col("delivered_at") + days)
        .with_columns(refunded_at=pl.col("requested_at") + pl.duration(hours=52))
        .join(first, on="order_key", maintain_order="left")
        .filter(pl.col("refunded_at") <= until)
        .with_row_index("return_key")
        .select(
            pl.col("return_key").cast(pl.Int64),
            *("line_key", "quantity", "reason"),
            pl.col("reason").replace_strict(REASONS).alias("reason_code"),
            pl.col("reason").replace_strict(_OUTBOUND).alias("outbound"),
            pl.col("reason").replace_strict(_RESTOCK).alias("restock"),
            *("requested_at", "refunded_at"),
        )
    )


def _returned_whole(orders: pl.DataFrame, lines: pl.DataFrame, returns: pl.DataFrame) -> pl.DataFrame:
    """`orders` with the last states of those of which every unit was returned, approved when it was paid: when
    somebody approved them is not made up."""
    units = lines.group_by("order_key").agg(pl.col("quantity").sum().alias("bought"))
    back = returns.join(lines.select("line_key", "order_key"), on="line_key", maintain_order="left")
    whole = (
        back.group_by("order_key")
        .agg(pl.col("quantity").sum(), pl.col("requested_at").min(), pl.col("refunded_at").max().alias("paid_at"))
        .join(units, on="order_key")
        .filter(pl.col("quantity") == pl.col("bought"))
        .select("order_key", "requested_at", "paid_at")
    )
    return (
        orders.join(whole, on="order_key", how="left", maintain_order="left")
        .with_columns(return_requested_at="requested_at", return_approved_at="paid_at", refunded_at="paid_at")
        .drop("requested_at", "paid_at")
    )
