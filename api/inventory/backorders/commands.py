"""A seller says how many units of a variant a warehouse may owe."""

from uuid import UUID

from sqlalchemy import func, update

from api.inventory.booking import opened
from api.inventory.errors import StockChanged, UnitsOwed
from api.inventory.models import WarehouseStock
from api.inventory.queries import own_goods, version_of
from api.inventory.schemas import AllowBackorders
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx


async def allow(
    ctx: Context, actor: Actor, variant_id: UUID, warehouse_id: UUID, request: AllowBackorders, *, expected: int | None
) -> None:
    """Set how many units may be sold before the warehouse has them; the same request again changes nothing.

    `expected`: the variant's version when it was read, None for any. Raises: VariantNotFound, StockOfKeys,
    WarehouseNotFound, StockChanged, UnitsOwed for a limit below what is owed.
    """

    async def work(tx: Tx) -> None:
        await own_goods(tx, actor, variant_id, pointer="/path/variantId")
        place = await opened(tx, variant_id, warehouse_id)
        version = await version_of(tx, variant_id)
        if expected is not None and expected != version:
            raise StockChanged(
                "Read the stock again, then say how many may be owed.",
                extra={"available": place.units, "version": version},
            )
        if request.limit < place.owed:
            raise UnitsOwed(
                f"Set a limit of at least {place.owed}: that many are owed to buyers now.", extra={"owed": place.owed}
            )
        await tx.execute(
            update(WarehouseStock)
            .where(WarehouseStock.variant_id == variant_id, WarehouseStock.warehouse_id == warehouse_id)
            .values(backorder_limit=request.limit, backorder_days=request.days, updated_at=func.now())
        )
        payload = {"variantId": variant_id, "warehouseId": warehouse_id, "limit": request.limit, "days": request.days}
        await outbox.emit(tx, "variant", variant_id, "BackordersAllowed", payload)

    await ctx.db.run(work)
