"""Stock on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.inventory.allocation import Rule
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireId

Units = Annotated[int, Field(ge=0, le=1_000_000, examples=[12])]
SomeUnits = Annotated[int, Field(ge=1, le=1_000_000, examples=[12])]


class WarehouseBody(Wire):
    warehouse_id: WireId
    code: str
    name: str
    city: str
    country: str
    latitude: float
    longitude: float


class WarehouseList(Wire):
    warehouses: list[WarehouseBody]
    pagination: Pagination


class StockedVariant(Wire):
    """`stock` = sellable units over all warehouses, `owed` = units that were sold before they were there, `inbound` on
    their way; `low`: at most `lowStockAt` are left."""

    variant_id: WireId
    product_id: WireId
    sku: str
    stock: int
    owed: int
    inbound: int
    low_stock_at: int
    low: bool


class StockedVariantList(Wire):
    variants: list[StockedVariant]
    pagination: Pagination


class StockLevelBody(Wire):
    """Units of one variant in one warehouse. `owed` were sold before it had them, at most `backorderLimit`: what comes
    in is theirs first. `backorderDays`: after so many they leave, where no replenishment says when."""

    warehouse_id: WireId
    code: str
    name: str
    country: str
    available: int
    reserved: int
    inbound: int
    owed: int
    backorder_limit: int
    backorder_days: int


class StockChangeBody(Wire):
    """One row of the append-only record; `newQuantity` is the variant's stock over all warehouses after it, less what
    is owed. A later row has a greater `number`."""

    transaction_id: WireId
    number: int
    warehouse_id: WireId | None
    type: str
    change: int
    new_quantity: int
    reference_id: WireId | None
    at: datetime


class VariantStock(Wire):
    """`stock` = sellable units over all warehouses, `owed` = units that were sold before they were there; `recent`: the
    latest changes, newest first, at most 50.

    `version` is the number of the latest change, and the response's ETag: a count with `If-Match` is refused when units
    were sold since.
    """

    variant_id: WireId
    product_id: WireId
    sku: str
    stock: int
    owed: int
    low_stock_at: int
    version: int
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


class CountStock(Wire):
    """The units that can be sold there: what was counted, less what open orders hold."""

    available: Units


class CountedStock(Wire):
    """`change`: what the count found more or fewer than was booked, with its row of the journal."""

    transaction_id: WireId | None
    variant_id: WireId
    warehouse_id: WireId
    change: int
    available: int
    stock: int
    version: int


class SetLowStock(Wire):
    low_stock_at: Units


class AllowBackorders(Wire):
    """Up to `limit` units may be owed at a time; without a better date they leave `days` after they were ordered."""

    limit: Units
    days: Annotated[int, Field(ge=1, le=365, examples=[14])] = 14


class TransferStock(Wire):
    variant_id: WireId
    from_warehouse_id: WireId
    to_warehouse_id: WireId
    quantity: SomeUnits


class TransferredStock(Wire):
    """`transferId` is the `referenceId` of both rows of the journal."""

    transfer_id: WireId
    variant_id: WireId
    from_warehouse_id: WireId
    to_warehouse_id: WireId
    quantity: int
    from_available: int
    to_available: int


class ReplenishStock(Wire):
    variant_id: WireId
    warehouse_id: WireId
    quantity: SomeUnits
    expected_on: Annotated[date, Field(strict=False)] | None = None


class ReceiveStock(Wire):
    """Without `quantity` everything that is open has arrived."""

    quantity: SomeUnits | None = None


class ReplenishmentBody(Wire):
    """`quantity` was sent, `received` has arrived; the rest of a cancelled one does not come."""

    replenishment_id: WireId
    variant_id: WireId
    warehouse_id: WireId
    quantity: int
    received: int
    status: Literal["open", "received", "cancelled"]
    expected_on: date | None
    created_at: datetime


class AllocationBody(Wire):
    """Why a warehouse sends a parcel. `rule`: one warehouse has the whole order; two have it together; or, with more,
    each has most of the rest; or none has the units, and it may owe them (`backordered`). `candidates`: how many
    warehouses, or pairs of them, could; the cheapest was chosen.
    `warehouses`: how many send the order. `cost`: of the way, by distance and border, without what every parcel costs.
    `kilometres`: to the middle of the buyer's state or country, null where it is not known.
    """

    rule: Rule
    candidates: int
    warehouses: int
    cost: float
    kilometres: int | None


class ReplenishmentList(Wire):
    replenishments: list[ReplenishmentBody]
