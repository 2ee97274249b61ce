"""Stock on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from api.kernel.schemas import Wire, WireId


class StockLevelBody(Wire):
    """Units of one variant in one warehouse."""

    warehouse_id: WireId
    code: str
    name: str
    country: str
    available: int
    reserved: int
    inbound: int


class StockChangeBody(Wire):
    """One row of the append-only record; `newQuantity` is the variant's stock over all warehouses after it."""

    transaction_id: WireId
    warehouse_id: WireId | None
    type: str
    change: int
    new_quantity: int
    reference_id: WireId | None
    at: datetime


class VariantStock(Wire):
    """`stock` = sellable units over all warehouses; `recent`: the latest changes, newest first, at most 50."""

    variant_id: WireId
    product_id: WireId
    sku: str
    stock: int
    warehouses: list[StockLevelBody]
    recent: list[StockChangeBody]


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("nothing would change")
    return value


class AdjustStock(Wire):
    """`change` units more (a delivery, a find) or fewer (a loss, a count) in one warehouse."""

    variant_id: WireId
    warehouse_id: WireId
    change: Annotated[int, Field(ge=-1_000_000, le=1_000_000, examples=[12]), AfterValidator(_not_zero)]


class AdjustedStock(Wire):
    transaction_id: WireId
    variant_id: WireId
    warehouse_id: WireId
    available: int
    stock: int
