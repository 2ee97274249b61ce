"""Keys whose rows fail a data test of a build: they are left out of it and named, and the rest is published.

A test that fails names its rows. What a row belongs to (an order, a product, a seller) is withheld from every model, so
that all tables agree without it; what a product or a seller takes with it, its orders, is withheld too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from transforms.errors import BuildFailed, FailedTest
from transforms.publish import connect

# More than a few bad keys are no bad rows but a bad build: it must not be published with half of the shop missing.
MOST_KEYS = 1_000
_SHARE_OF_ORDERS = 0.05
_ALWAYS_ALLOWED = 10
# What dbt's own tests call the column that they test.
_TESTED = {"unique_field", "from_field", "value_field"}
# Column of a failing row -> the keys it stands for; the first column that a row has decides.
_GRAINS = {
    "order_id": "SELECT 'order', order_id FROM lake.orders WHERE order_id IN {keys}",
    "order_item_id": "SELECT 'order', order_id FROM lake.order_items WHERE order_item_id IN {keys}",
    "return_id": "SELECT 'order', order_id FROM lake.returns WHERE return_id IN {keys}",
    "product_id": "SELECT 'product', product_id FROM lake.products WHERE product_id IN {keys} UNION SELECT 'order',"
    " order_id FROM lake.order_items WHERE product_id IN {keys}",
    "variant_id": "SELECT 'product', product_id FROM lake.product_variants WHERE variant_id IN {keys} UNION SELECT"
    " 'order', order_id FROM lake.order_items WHERE variant_id IN {keys}",
    "seller_id": "SELECT 'seller', seller_id FROM lake.sellers WHERE seller_id IN {keys} UNION SELECT 'product',"
    " product_id FROM lake.products WHERE seller_id IN {keys} UNION SELECT 'order', order_id FROM lake.order_items"
    " WHERE seller_id IN {keys} UNION SELECT 'order', order_id FROM lake.order_items JOIN lake.products USING"
    " (product_id) WHERE products.seller_id IN {keys}",
}


@dataclass(frozen=True)
class Withheld:
    """One key that a build left out. `rule`: what its rows break. `models`: those whose tests said so."""

    kind: str
    key: str
    rule: str
    models: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.rule}"


def known_since(published: Path) -> dict[tuple[str, str], datetime]:
    """(kind, key) -> when it was withheld first, from the marts that are published now."""
    if not published.exists():
        return {}
    try:
        with connect(published, read_only=True) as con:
            found = con.execute("SELECT kind, key, min(since) FROM mart_withheld GROUP BY ALL").fetchall()
    except duckdb.Error:  # the marts of an earlier release, or a damaged file, which a build replaces
        return {}
    return {(str(kind), str(key)): since for kind, key, since in found}


def withhold(
    private: Path, failed: BuildFailed, built_at: datetime, since: dict[tuple[str, str], datetime]
) -> list[Withheld]:
    """Add the keys of the failed tests to `build.withheld` of the private file; returns those that are new.

    Raises `failed` itself when something else failed too or a test on the lake's own tables did, when a failing row
    names no key, or when too many keys fail.
    """
    if failed.fatal or not failed.tests or any(_on_the_lake(test) for test in failed.tests):
        raise failed
    with connect(private) as con:
        known = {(kind, key) for kind, key in con.execute("SELECT kind, key FROM build.withheld").fetchall()}
        found = {(held.kind, held.key): held for held in _failing(con, failed) if (held.kind, held.key) not in known}
        orders = con.execute("SELECT count(*) FROM lake.orders").fetchone()
        held_orders = sum(kind == "order" for kind, _ in {*known, *found})
        share = _SHARE_OF_ORDERS * (orders[0] if orders else 0)
        if not found or len(known) + len(found) > MOST_KEYS or held_orders > max(share, _ALWAYS_ALLOWED):
            raise failed
        rows = [(held.kind, held.key, held.rule, since.get(name, built_at)) for name, held in found.items()]
        con.executemany("INSERT INTO build.withheld VALUES (?, ?, ?, ?)", rows)
    return list(found.values())


def _on_the_lake(test: FailedTest) -> bool:
    """Staging is the lake's tables as they are: a test on it alone fails whatever is withheld."""
    return bool(test.models) and all(model.startswith("stg_") for model in test.models)


def _failing(con: duckdb.DuckDBPyConnection, failed: BuildFailed) -> Iterator[Withheld]:
    for test in failed.tests:
        column, values = _failing_values(con, test)
        if column is None:
            raise failed
        query = _GRAINS[column].format(keys="(SELECT unnest(?::VARCHAR[]))")
        parameters = [values] * query.count("?")
        for kind, key in con.execute(query, parameters).fetchall():
            yield Withheld(str(kind), str(key), test.rule, test.models)


def _failing_values(con: duckdb.DuckDBPyConnection, test: FailedTest) -> tuple[str | None, list[str]]:
    """The column that names what the failing rows belong to, and its values; no column when none does."""
    result = con.execute(test.sql)
    names = [test.column if column[0] in _TESTED and test.column else column[0] for column in result.description or ()]
    column = next((name for name in _GRAINS if name in names), None)
    rows = result.fetchmany(MOST_KEYS + 1)
    if column is None or not rows:
        return None, []
    return column, sorted({str(row[names.index(column)]) for row in rows})
