"""Commands of the address book.

A person has at most one default: the first address, and after its deletion the newest.
"""

from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

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


async def add_address(ctx: Context, actor: Actor, body: AddressIn) -> AddressBody:
    """Raises: TooManyAddresses (409)."""

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
        values = {**body.model_dump(), "is_default": default, "address_id": address_id, "user_id": actor.user_id}
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


async def _lock_book(tx: Tx, actor: Actor) -> None:
    """Serialize the changes of one address book; otherwise two concurrent first
    addresses could both become the default."""
    if (
        await tx.scalar(select(User.user_id).where(User.user_id == actor.user_id).with_for_update(key_share=True))
        is None
    ):
        raise SessionEnded("The account no longer exists.")
