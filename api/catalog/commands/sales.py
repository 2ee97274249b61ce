"""How much of a product was sold lately: what `sort=popularity` reads."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import text

from api.kernel.db import Tx

_SET = text(
    """
    WITH changed AS MATERIALIZED (
      SELECT p.product_id, coalesce(s.units, 0) AS units
      FROM products p LEFT JOIN unnest(CAST(:ids AS uuid[]), CAST(:units AS int[])) AS s(product_id, units) USING
      (product_id)
      WHERE p.units_sold_90d <> coalesce(s.units, 0)
      ORDER BY p.product_id FOR UPDATE OF p
    )
    UPDATE products p SET units_sold_90d = changed.units FROM changed WHERE p.product_id = changed.product_id
    """
)


async def set_units_sold(tx: Tx, units: Mapping[UUID, int]) -> int:
    """Make `units_sold_90d` equal to `units`, 0 for products not in it; how many rows changed. A sale is not an edit:
    neither version nor change time moves."""
    return (await tx.execute(_SET, {"ids": list(units), "units": list(units.values())})).rowcount
