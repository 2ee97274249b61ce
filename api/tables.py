"""All tables of the shop in one metadata: what migrations, the contract and the tests read."""

from sqlalchemy import MetaData

from api.carts import models as _carts
from api.catalog import models as _catalog
from api.checkout import models as _checkout
from api.events import models as _events
from api.identity import models as _identity
from api.inventory import models as _inventory
from api.kernel import models as _kernel
from api.kernel.db import Base
from api.orders import models as _orders
from api.payments import models as _payments
from api.sellers import models as _sellers

_NOUNS = (_carts, _catalog, _checkout, _events, _identity, _inventory, _kernel, _orders, _payments, _sellers)


def metadata() -> MetaData:
    """The metadata of every noun; importing this module has filled it."""
    return Base.metadata


def unpublished_tables() -> frozenset[str]:
    """Tables that never leave Postgres: secrets, saga state and addresses."""
    return frozenset(
        str(mapper.class_.__tablename__)
        for mapper in Base.registry.mappers
        if getattr(mapper.class_, "__unpublished__", False)
    )
