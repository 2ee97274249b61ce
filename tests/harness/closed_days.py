"""What files of marts, published or a state, say of sellers' closed days."""

from datetime import UTC, date
from decimal import Decimal
from pathlib import Path

from transforms.publish import connect

Day = tuple[str, date, str]
"""Seller, UTC day, currency."""
Restated = tuple[str, date, str, date, int, Decimal, str]
"""A day, the later day on which it changed, orders cancelled, amount and cause."""


def open_day(marts: Path) -> date:
    """The UTC day that is not over at their watermark."""
    with connect(marts, read_only=True) as con:
        [(moment,)] = con.execute("SELECT as_of FROM main.mart_watermark").fetchall()
        day: date = moment.astimezone(UTC).date()
    return day


def closed_days(marts: Path, before: date) -> dict[Day, Decimal]:
    """What the days before `before` closed with; those that closed with nothing are left out."""
    query = (
        "SELECT (seller_id, order_date, currency), net_sales - restated_sales FROM main.mart_seller__sales_day"
        " WHERE order_date < ? AND net_sales <> restated_sales"
    )
    with connect(marts, read_only=True) as con:
        return dict(con.execute(query, [before]).fetchall())


def corrections(marts: Path) -> list[Restated]:
    """Restatements that no cancellation made."""
    query = (
        "SELECT seller_id, order_date, currency, restated_on, orders, amount, cause FROM main.mart_seller__restatement"
        " WHERE cause <> 'cancelled' ORDER BY ALL"
    )
    with connect(marts, read_only=True) as con:
        return con.execute(query).fetchall()
