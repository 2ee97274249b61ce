"""Commands of the address book.

A person has at most one default: the first address, and after its deletion the newest.
"""

from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from api.delivery.addresses import Checked, check
from api.identity import queries
from api.identity.errors import AddressNotFound, SessionEnded, TooManyAddresses
from api.identity.models import Address, User
from api.identity.schemas import Address as AddressBody
from api.identity.schemas import AddressIn
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id

MAX_ADDRESSES = 100
_PARTS = {"street", "city", "state", "zip_code", "country"}


async def add_address(ctx: Context, actor: Actor, body: AddressIn) -> AddressBody:
    """Raises: AddressNotValid (422), TooManyAddresses (409)."""
    stored = {**body.model_dump(), **_columns(check("", body.model_dump(by_alias=True, include=_PARTS)))}

    async def work(tx: Tx) -> AddressBody:
        await _lock_book(tx, actor)
        count = await tx.scalar(select(func.count()).where(Address.user_id == actor.user_id))
        if count >= MAX_ADDRESSES:
            raise TooManyAddresses(f"Delete one first: at most {MAX_ADDRESSES} are kept.")
        default = body.is_default or count == 0
        if default:
            await tx.execute(
                update(Address).where(Address.user_id == actor.user_id, Address.is_default).values(is_default=False)
            )
        address_id = new_id()
        values = {**stored, "is_default": default, "address_id": address_id, "user_id": actor.user_id}
        await tx.execute(insert(Address).values(values))
        return await queries.address_of(tx, actor, address_id)

    return await ctx.db.run(work)


async def delete_address(ctx: Context, actor: Actor, address_id: UUID) -> None:
    """Raises: AddressNotFound, also for other people's addresses."""

    async def work(tx: Tx) -> None:
        await _lock_book(tx, actor)
        own = (Address.user_id == actor.user_id, Address.address_id == address_id)
        was_default: bool | None = await tx.scalar(delete(Address).where(*own).returning(Address.is_default))
        if was_default is None:
            raise AddressNotFound("Your address book has no such address.")
        if was_default:
            newest = (
                select(Address.address_id)
                .where(Address.user_id == actor.user_id)
                .order_by(Address.address_id.desc())
                .limit(1)
            )
            await tx.execute(
                update(Address).where(Address.address_id == newest.scalar_subquery()).values(is_default=True)
            )

    await ctx.db.run(work)


def _columns(address: Checked) -> dict[str, str]:
    """The columns of the address; one that the country does not have is empty."""
    return {
        "street": address.street or "",
        "city": address.city or "",
        "state": address.state or "",
        "zip_code": address.zip_code or "",
        "country": address.country,
    }


async def _lock_book(tx: Tx, actor: Actor) -> None:
    """Serialize the changes of one address book; otherwise two concurrent first
    addresses could both become the default."""
    if (
        await tx.scalar(select(User.user_id).where(User.user_id == actor.user_id).with_for_update(key_share=True))
        is None
    ):
        raise SessionEnded("The account no longer exists.")
