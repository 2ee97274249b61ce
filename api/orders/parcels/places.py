"""Where a parcel is sent from, as columns of the reads of orders and parcels."""

from sqlalchemy import func, select

from api.inventory.models import Warehouse
from api.orders.models import Parcel

_OF_PARCEL = Warehouse.warehouse_id == Parcel.warehouse_id
WAREHOUSE_COUNTRY = select(Warehouse.country).where(_OF_PARCEL).scalar_subquery().label("warehouse_country")
SHIPS_FROM = (
    select(func.concat_ws(", ", Warehouse.city, Warehouse.country))
    .where(_OF_PARCEL)
    .scalar_subquery()
    .label("ships_from")
)
