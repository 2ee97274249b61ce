"""Whether the lake's state at a watermark is one that Postgres can have had: every key once, every reference answered.

Postgres enforces both, so what breaks them is a fault of the lake, such as tables read at different positions.
"""

from collections.abc import Sequence

from warehouse.contract import Table
from warehouse.lake.read import attach, connect, quote
from warehouse.lake.watermark import Watermark

REFERENCES = (
    ("order_items", "order_id", "orders"),
    ("order_items", "product_id", "products"),
    ("order_items", "variant_id", "product_variants"),
    ("order_events", "order_id", "orders"),
    ("returns", "order_id", "orders"),
    ("returns", "order_item_id", "order_items"),
    ("product_variants", "product_id", "products"),
    ("products", "category_id", "categories"),
)
"""Table, column, and the table whose key it holds, under the same name. Each is a foreign key of the migrated database,
as a test checks; not every foreign key is here."""


def faults(lake: str, mark: Watermark, tables: Sequence[Table]) -> list[str]:
    """Sentences about these tables' state at the watermark; none when it is whole.

    A reference from or to a table whose replication has stopped is not judged: it stays at an earlier position.
    """
    keys = {table.name: ", ".join(map(quote, table.primary_key)) for table in tables}
    moving = {name for name, version in mark.versions.items() if name in keys and not version.error}
    asked = {
        f"{name}: rows that share their key with another row": (
            f"SELECT count(*) - count(DISTINCT ({key})) FROM lake.{quote(name)}"
        )
        for name, key in keys.items()
    }
    asked |= {
        f"{child}.{column}: values that are no row of {parent}": (
            f"SELECT count(*) FROM lake.{quote(child)} AS c ANTI JOIN lake.{quote(parent)} AS p"
            f" USING ({quote(column)}) WHERE c.{quote(column)} IS NOT NULL"
        )
        for child, column, parent in REFERENCES
        if {child, parent} <= moving
    }
    with connect() as con:
        attach(con, lake, mark)
        counted = {what: con.execute(query).fetchone() for what, query in asked.items()}
    return [f"{what}: {row[0]}" for what, row in counted.items() if row and row[0]]
