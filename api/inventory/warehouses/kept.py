"""The warehouses as promises see them. Each process keeps them, and reads of stock name them by their ids.

Every change of a warehouse gives the table another edition, in the same commit (a trigger of migration 0030). A read of
stock reads the edition with it, so it is known whether what the process keeps is what that read would have seen.
"""

from collections import OrderedDict
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select

from api.delivery.places import country_code
from api.delivery.promises import Origin
from api.inventory.models import Warehouse, WarehouseEdition
from api.kernel.db import Database, ReadTx

# A standby that lags has another edition than the primary.
_EDITIONS = 4

# Of the row that a statement reads with its own, as `edition`.
EDITION = select(WarehouseEdition.edition).scalar_subquery()
_ALL = select(
    EDITION.label("edition"),
    Warehouse.warehouse_id,
    Warehouse.country,
    Warehouse.latitude,
    Warehouse.longitude,
    Warehouse.prime_capable,
    Warehouse.cut_off_minutes,
    Warehouse.time_zone,
)


class Origins:
    """The editions that were used last."""

    def __init__(self) -> None:
        self._editions: OrderedDict[UUID, Mapping[UUID, Origin]] = OrderedDict()

    def of(self, edition: UUID | None) -> Mapping[UUID, Origin] | None:
        """The warehouses of an edition by id, if they are kept."""
        return None if edition is None else self._editions.get(edition)

    async def read(self, tx: ReadTx) -> Mapping[UUID, Origin]:
        """Read the warehouses of the newest edition, and keep them."""
        rows = await tx.all(_ALL)
        found = {row[1]: Origin(country_code(row[2]) or row[2], *row[3:]) for row in rows}
        if rows and rows[0][0] is not None:
            self._editions[rows[0][0]] = found
            while len(self._editions) > _EDITIONS:
                self._editions.popitem(last=False)
        return found


_origins = Origins()


async def origins_in(tx: ReadTx, edition: UUID | None) -> Mapping[UUID, Origin]:
    """The warehouses by id as they were in `edition` or later: read only when this process does not keep them."""
    kept = _origins.of(edition)
    return await _origins.read(tx) if kept is None else kept


async def origins_of(db: Database, edition: UUID | None) -> Mapping[UUID, Origin]:
    """The same for whoever is in no transaction."""
    kept = _origins.of(edition)
    if kept is not None:
        return kept
    async with db.read() as tx:
        return await _origins.read(tx)
