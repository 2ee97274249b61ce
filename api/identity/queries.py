"""Reads about accounts; everything personal is scoped by the actor."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from api.identity.errors import AddressNotFound, SessionEnded
from api.identity.models import Address, User
from api.kernel.actor import Actor
from api.kernel.db import ReadTx

_PROFILE = (
    User.user_id,
    User.email,
    User.name,
    User.user_type,
    User.phone,
    User.prime_member,
    User.prime_expiry,
    User.created_at,
    User.updated_at,
)
_ADDRESS = (
    Address.address_id,
    Address.address_type,
    Address.street,
    Address.city,
    Address.state,
    Address.zip_code,
    Address.country,
    Address.is_default,
    Address.created_at,
)


async def profile_of(tx: ReadTx, actor: Actor) -> Row[Any]:  # Any: a row of _PROFILE's columns
    """The actor's own account. Raises: SessionEnded when it is gone."""
    row = await tx.first(select(*_PROFILE).where(User.user_id == actor.user_id))
    if row is None:
        raise SessionEnded("The account no longer exists.")
    return row


async def credentials_of(tx: ReadTx, email: str) -> Row[Any] | None:  # Any: row of the named columns
    """user_id, password_hash, status, session_version, email, name, user_type of a normalised address."""
    columns = (
        User.user_id,
        User.password_hash,
        User.status,
        User.session_version,
        User.email,
        User.name,
        User.user_type,
    )
    return await tx.first(select(*columns).where(User.email == email))


async def session_version_of(tx: ReadTx, user_id: UUID) -> int | None:
    """The version that access tokens must carry to count; None for suspended and missing accounts."""
    version: int | None = await tx.scalar(
        select(User.session_version).where(User.user_id == user_id, User.status == "active")
    )
    return version


async def addresses_of(tx: ReadTx, actor: Actor) -> Sequence[Row[Any]]:  # Any: rows of _ADDRESS's columns
    """The actor's address book, the default first, then the newest."""
    order = (Address.is_default.desc(), Address.created_at.desc(), Address.address_id)
    return await tx.all(select(*_ADDRESS).where(Address.user_id == actor.user_id).order_by(*order))


async def address_of(tx: ReadTx, actor: Actor, address_id: UUID) -> Row[Any]:  # Any: a row of _ADDRESS's columns
    """One address of the actor's own. Raises: AddressNotFound, also for other people's."""
    row = await tx.first(select(*_ADDRESS).where(Address.user_id == actor.user_id, Address.address_id == address_id))
    if row is None:
        raise AddressNotFound("Your address book has no such address.")
    return row
