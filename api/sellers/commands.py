"""Opening a store."""

from uuid import UUID

from sqlalchemy import insert

from api.kernel.db import Tx
from api.sellers.models import Seller

# Where a store trades from until its owner says otherwise during verification.
DEFAULT_COUNTRY = "US"


async def open_store(tx: Tx, user_id: UUID, name: str, country: str = DEFAULT_COUNTRY) -> None:
    """The public face of a seller account, unverified and unrated."""
    await tx.execute(insert(Seller).values(seller_id=user_id, name=name, country=country))
