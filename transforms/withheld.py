"""Keys whose rows fail a data test of a build: they are left out of it and named, and the rest is published.

A test that fails names its rows. What a row belongs to is withheld from every model, so that all tables agree without
it. An order fails the tests of its product's and its seller's sums too, so of the keys that fail at once only the
finest are withheld: orders, without those products, without those sellers; dbt then runs again. What a product or a
seller takes with it, the models leave out by themselves (`int_withheld__orders`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from transforms.errors import BuildFailed, FailedTest
from transforms.publish import connect
from warehouse.lake.read import literal

# More than a few bad keys are no bad rows but a bad build: it must not be published with half of the shop missing.
MOST_KEYS = 1_000
_SHARE_OF_ORDERS = 0.05
_ALWAYS_ALLOWED = 10
# What dbt's own tests call the column that they test.
_TESTED = {"unique_field", "from_field", "value_field"}
# Column of a failing row -> the keys it stands for; the first column that a row has decides. What the lake does not
# hold itself stands for the rows that name it.
_GRAINS = {
    "order_id": "SELECT 'order', order_id FROM lake.orders WHERE order_id IN {keys}",
    "order_item_id": "SELECT 'order', order_id FROM lake.order_items WHERE order_item_id IN {keys}",
    "return_id": "SELECT 'order', order_id FROM lake.returns WHERE return_id IN {keys}",
    "product_id": "SELECT 'product', product_id FROM lake.products WHERE product_id IN {keys} UNION SELECT 'order',"
    " order_id FROM lake.order_items ANTI JOIN lake.products USING (product_id) WHERE product_id IN {keys}",
    "variant_id": "SELECT 'product', product_id FROM lake.product_variants WHERE variant_id IN {keys} UNION SELECT"
    " 'order', order_id FROM lake.order_items ANTI JOIN lake.product_variants USING (variant_id) WHERE variant_id IN"
    " {keys}",
    "seller_id": "SELECT 'seller', seller_id FROM lake.sellers WHERE seller_id IN {keys} UNION SELECT 'product',"
    " product_id FROM lake.products ANTI JOIN lake.sellers USING (seller_id) WHERE seller_id IN {keys} UNION SELECT"
    " 'order', order_id FROM lake.order_items ANTI JOIN lake.sellers USING (seller_id) WHERE seller_id IN {keys}",
}
_FINEST_FIRST = ("order", "product", "seller")
# The orders that `build.withheld` leaves out, as `int_withheld__orders` does.
_ORDERS_WITHHELD = """
SELECT count(*) FROM lake.orders WHERE order_id IN (
    SELECT key FROM build.withheld WHERE kind = 'order'
    UNION ALL SELECT line.order_id FROM lake.order_items AS line LEFT JOIN lake.products AS product USING (product_id)
    JOIN build.withheld AS held ON (held.kind, held.key) IN
        (('product', line.product_id), ('seller', line.seller_id), ('seller', product.seller_id))
)"""


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


def withhold_as_published(private: Path, published: Path) -> None:
    """Leave out of a private file what the published marts leave out."""
    if not published.exists():
        return
    with connect(private) as con:
        con.execute(f"ATTACH {literal(str(published))} AS published (READ_ONLY)")
        con.execute(
            "INSERT INTO build.withheld SELECT kind, key, min(rule), min(since) FROM published.mart_withheld GROUP BY"
            " kind, key"
        )
        con.execute("DETACH published")


def withhold(
    private: Path, failed: BuildFailed, built_at: datetime, since: dict[tuple[str, str], datetime], lake: str = ""
) -> list[Withheld]:
    """Add the keys of the failed tests to `build.withheld` of the private file; returns those that are new.

    `lake`: the one that the file's views read.

    Raises `failed` itself when something else failed too or a test on the lake's own tables did, when a failing row
    names no key, or when too many keys fail.
    """
    if failed.fatal or not failed.tests or any(_on_the_lake(test) for test in failed.tests):
        raise failed
    with connect(private, lake=lake) as con:
        known = {(kind, key) for kind, key in con.execute("SELECT kind, key FROM build.withheld").fetchall()}
        failing = {(held.kind, held.key): held for held in _failing(con, failed) if (held.kind, held.key) not in known}
        finest = next((kind for kind in _FINEST_FIRST if any(kind == other for other, _ in failing)), None)
        found = {name: held for name, held in failing.items() if name[0] == finest}
        if not found or len(known) + len(found) > MOST_KEYS:
            raise failed
        con.execute("BEGIN")
        rows = [(held.kind, held.key, held.rule, since.get(name, built_at)) for name, held in found.items()]
        con.executemany("INSERT INTO build.withheld VALUES (?, ?, ?, ?)", rows)
        if _count(con, _ORDERS_WITHHELD) > max(
            _SHARE_OF_ORDERS * _count(con, "SELECT count(*) FROM lake.orders"), _ALWAYS_ALLOWED
        ):
            raise failed
        con.execute("COMMIT")
    return list(found.values())


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0]) if row else 0


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
