"""Matches returns: each line with a negative quantity is matched with the purchase that it reverses.

Rule: a customer's earlier purchases of the same item, those at the same price first, then the latest first, until all
units are matched; never more units than were bought and not yet returned. Guests have no customer number, so their
returns cannot be matched. Unmatched units are reported. The refund is the price paid for the units.
"""

from collections import defaultdict
from dataclasses import dataclass

import polars as pl


@dataclass
class _Purchase:
    line_key: int
    at: int
    cents: int
    left: int


def match(sales: pl.DataFrame, returned: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(matches, missing).

    sales: line_key, customer_id?, item_id, ts, quantity, cents.
    returned: line, customer_id?, item_id, ts, quantity (negative), cents.
    matches: line, line_key, quantity, at.
    missing: line, units, reason (`guest-return`, `return-without-purchase`, `return-exceeds-purchases`).
    """
    wanted = returned.filter(pl.col("customer_id").is_not_null()).sort("ts", "line")
    pairs = wanted.select("customer_id", "item_id").unique()
    bought = sales.join(pairs, on=["customer_id", "item_id"], how="semi").sort("ts", "line_key")
    purchases: defaultdict[tuple[str, str], list[_Purchase]] = defaultdict(list)
    columns = ("customer_id", "item_id", "line_key", "ts", "cents", "quantity")
    for customer, item, line_key, at, cents, quantity in (
        bought.with_columns(pl.col("ts").dt.epoch("us")).select(columns).iter_rows()
    ):
        purchases[customer, item].append(_Purchase(line_key, at, cents, quantity))
    matches: list[tuple[int, int, int, int]] = []
    missing: list[tuple[int, int, str]] = []
    back_columns = ("customer_id", "item_id", "line", "ts", "cents", "quantity")
    for customer, item, line, at, cents, quantity in (
        wanted.with_columns(pl.col("ts").dt.epoch("us")).select(back_columns).iter_rows()
    ):
        earlier = [
            purchase for purchase in reversed(purchases.get((customer, item), [])) if purchase.at < at and purchase.left
        ]
        taken, left = _take(sorted(earlier, key=lambda purchase: purchase.cents != cents), -quantity)
        matches.extend((line, line_key, units, at) for line_key, units in taken)
        if left:
            missing.append((line, left, "return-without-purchase" if left == -quantity else "return-exceeds-purchases"))
    guests = returned.filter(pl.col("customer_id").is_null())
    missing.extend(
        (line, -quantity, "guest-return") for line, quantity in guests.select("line", "quantity").iter_rows()
    )
    found = pl.DataFrame(
        matches,
        schema={"line": pl.UInt32, "line_key": pl.Int64, "quantity": pl.Int64, "at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    return found, pl.DataFrame(
        missing, schema={"line": pl.UInt32, "units": pl.Int64, "reason": pl.String}, orient="row"
    )


def _take(purchases: list[_Purchase], units: int) -> tuple[list[tuple[int, int]], int]:
    """Take up to `units` from these purchases in order: ((line_key, units) taken, units not found)."""
    taken = []
    for purchase in purchases:
        if not units:
            break
        part = min(units, purchase.left)
        purchase.left -= part
        units -= part
        taken.append((purchase.line_key, part))
    return taken, units
