"""Bodies of a seller's own products."""

from uuid import UUID

from api.catalog.schemas import Condition, Status
from api.kernel.money import Amount
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime


class OwnProduct(Wire):
    """`variants`: how many there are. `stock`: units that can be sold now, of all of them and over all warehouses.
    `statusReason`: why it waits for an administrator, or was rejected; null for others."""

    product_id: UUID
    title: str
    brand: str | None
    category_id: UUID
    price: Amount
    currency: str
    status: Status
    condition: Condition
    status_reason: str | None
    variants: int
    stock: int
    thumbnail: str
    version: int
    created_at: WireTime
    updated_at: WireTime


class OwnProductList(Wire):
    products: list[OwnProduct]
    pagination: Pagination
