"""Pictures that the lines of orders show for ever."""

from collections.abc import Collection, Sequence

from sqlalchemy import ARRAY, String, Uuid, any_, bindparam, select

from api.kernel.db import ReadTx
from api.kernel.keeping import Keeper, Unshown
from api.media.naming import SIZES, address
from api.orders.models import OrderItem

_SHOWN = (
    select(OrderItem.image_url)
    .where(
        OrderItem.product_id == any_(bindparam("products", type_=ARRAY(Uuid))),
        OrderItem.image_url == any_(bindparam("addresses", type_=ARRAY(String))),
    )
    .distinct()
)


async def in_lines(tx: ReadTx, unshown: Sequence[Unshown]) -> Collection[str]:
    """Those that a line shows: it was bought as one of the products that once showed the picture."""
    products = list({owner for one in unshown for owner in one.owners})
    named = {address(one.name, size): one.name for one in unshown for size in SIZES}
    found = await tx.all(_SHOWN, {"products": products, "addresses": list(named)})
    return {named[row[0]] for row in found}


KEEPERS: tuple[Keeper, ...] = (in_lines,)
