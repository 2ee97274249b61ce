"""Numbers by product as a table that a statement joins."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import ARRAY, Integer, TableValuedAlias, Uuid, cast, column, func, literal


def counts_of(numbers: Mapping[UUID, int]) -> TableValuedAlias:
    """Rows (product_id, n): always two array binds, whatever the number of rows."""
    ids = cast(literal(list(numbers), ARRAY(Uuid)), ARRAY(Uuid))
    counts = cast(literal(list(numbers.values()), ARRAY(Integer)), ARRAY(Integer))
    rows = func.unnest(ids, counts).table_valued(column("product_id", Uuid), column("n", Integer), name="counted")
    return rows.render_derived()
