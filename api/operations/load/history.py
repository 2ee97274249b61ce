"""The intermediate form of a load, which both sources produce, before it becomes rows."""

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from api.operations.load.ids import Ids

# In the order of an order's progress; each is a column `<state>_at` of `History.orders`,
# null when the order never reached the state.
STATES = (
    "pending",
    "confirmed",
    "processing",
    "shipped",
    "delivered",
    "return_requested",
    "return_approved",
    "refunded",
    "cancelled",
)
# No password verifies against it: argon2 hashes begin with $argon2.
UNUSABLE_PASSWORD = "!imported"  # noqa: S105 - the opposite of a password


@dataclass(frozen=True)
class History:
    """Polars frames keyed by dense integers (`*_key`); money in integer cents, times Datetime('us', 'UTC').

    categories: category_key, parent_key?, name, path, level (parents before children), names? (JSON text)
    warehouses: warehouse_key, code, name, city, country, latitude, longitude, time_zone
    sellers:    seller_key, name, email, country
    customers:  customer_key, name, email, joined_at
    products:   product_key, seller_key, category_key, title, description?, brand?, price_cents, list_price_cents?,
                prime_eligible, specifications (JSON text), listed_at, translations? (JSON text)
    variants:   variant_key, product_key, sku, attributes (JSON text), price_cents, remaining (units left over),
                warehouse_key, gtin?
    orders:     order_key, customer_key?, currency, country, shipping_address (JSON text), payment_method,
                delivery_speed, shipping_cents, tax_cents, and `<state>_at`? for every state; `pending_at` is the
                time the order was placed
    lines:      line_key, order_key, variant_key, quantity, price_cents, tax_rate (text), tax_cents on top of the price
                (line_key ascends with the order's time)
    returns:    return_key, line_key, quantity, reason, reason_code, outbound (whether the refund has the units' share
                of the shipping fee), restock, requested_at, refunded_at (units of delivered orders only)
    reviews:    review_key, customer_key, product_key, order_key? (in which it was delivered), rating, title, comment,
                at; only of the generated marketplace, and marked (`origin`)
    votes:      review_key, customer_key, helpful, at
    A set may lack the columns names, translations and gtin.
    report:     the lines of the source that were not loaded, and why; written to a file next to the load
    """

    kind: str
    fingerprint: str
    ids: Ids
    currency: str
    opened_at: datetime
    categories: pl.DataFrame
    warehouses: pl.DataFrame
    sellers: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame
    variants: pl.DataFrame
    orders: pl.DataFrame
    lines: pl.DataFrame
    returns: pl.DataFrame
    facts: dict[str, object] = field(default_factory=dict)
    report: pl.DataFrame | None = None
    reviews: pl.DataFrame | None = None
    votes: pl.DataFrame | None = None


def delivered_timeline(ids: Ids, orders: pl.DataFrame) -> pl.DataFrame:
    """`orders` with the times at which a delivered order passed each state, seeded per order.

    The sets hold only the time an order was placed; the rule for the rest: confirmed within a minute, processing within
    two hours, shipped 4 to 40 hours later, delivered 1 to 5 days after that.
    """
    keys = orders["order_key"]
    spread = {
        name: pl.Series(ids.fraction(f"timeline.{name}", keys))
        for name in ("confirmed", "processing", "shipped", "delivered")
    }
    seconds = {
        "confirmed": 2 + spread["confirmed"] * 50,
        "processing": 300 + spread["processing"] * 6_900,
        "shipped": (4 + spread["shipped"] * 36) * 3_600,
        "delivered": (24 + spread["delivered"] * 96) * 3_600,
    }
    at = orders["pending_at"]
    columns = []
    for name, gap in seconds.items():
        at = at + (gap * 1_000_000).cast(pl.Int64).cast(pl.Duration("us"))
        columns.append(at.alias(f"{name}_at"))
    missing = [pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias(f"{name}_at") for name in STATES[5:]]
    return orders.with_columns(columns).with_columns(missing)
