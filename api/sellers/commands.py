"""Opening a store."""

from uuid import UUID

from sqlalchemy import insert

from api.kernel.db import Tx
from api.sellers.models import Seller

# The country of a store until its verification.
DEFAULT_COUNTRY = "US"


async def open_store(tx: Tx, user_id: UUID, name: str, country: str = DEFAULT_COUNTRY) -> None:
    """Insert the public profile of a seller account, unverified and without a rating."""
    await tx.execute(insert(Seller).values(seller_id=user_id, name=name, country=country))
