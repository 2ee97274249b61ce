"""What a change of a component changes of kits: how many there are of them, and their pages.

How many there are of a kit follows from its components and is stored with its variant for lists, search and sellers,
who read it as that of any other variant. The relay of events says it anew within a second of a change; no order that
takes units of a component waits for it, or locks a kit. Pages, carts and orders count the components themselves.
"""

from collections.abc import Collection

from api.catalog.kits.counting import count_kits, kits_among
from api.catalog.pages import product_of_tag, product_tag
from api.kernel.db import Tx
from api.kernel.outbox import Spread


async def _kits(tx: Tx, tags: Collection[str]) -> Collection[str]:
    products = [product for tag in tags if (product := product_of_tag(tag)) is not None]
    if not products:
        return ()
    kits = await kits_among(tx, products)
    if kits:
        await count_kits(tx, kits)
    return [product_tag(kit) for kit in kits]


SPREADS: tuple[Spread, ...] = (_kits,)
