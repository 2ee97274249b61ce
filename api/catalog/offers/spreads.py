"""What a change of a product changes of the other offers of its article: their pages say what else is offered.

Whatever puts a product's page out of date comes through here, also a kit's because of its components: the modules of
spreads are asked in the order of their paths, so those of kits have spoken.
"""

from collections.abc import Collection

from api.catalog.offers.queries import shown_with
from api.catalog.pages import product_of_tag, product_tag
from api.kernel.db import Tx
from api.kernel.outbox import Spread


async def _offers(tx: Tx, tags: Collection[str]) -> Collection[str]:
    products = [product for tag in tags if (product := product_of_tag(tag)) is not None]
    return {product_tag(product) for product in await shown_with(tx, products)} if products else ()


SPREADS: tuple[Spread, ...] = (_offers,)
