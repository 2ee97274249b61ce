"""Reads of accounts; all personal data is scoped by the actor."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, and_, any_, bindparam, func, or_, select

from api.identity.errors import AddressNotFound, SessionEnded
from api.identity.models import Address, User
from api.identity.schemas import Address as AddressBody
from api.identity.schemas import Profile
from api.kernel.actor import Actor
from api.kernel.db import Query, ReadTx, Result
from api.kernel.security import UserType

# What the public calls somebody without a name.
ANONYMOUS_AUTHOR = "A customer"
ACCOUNT = (User.user_id, User.email, User.name, User.user_type, User.session_version)
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


@dataclass(frozen=True)
class Account:
    """The data of an account that a session is issued from: the columns of `ACCOUNT`."""

    user_id: UUID
    email: str
    name: str
    user_type: UserType
    session_version: int


@dataclass(frozen=True)
class Credentials(Account):
    """An account with the columns that sign-in checks."""

    password_hash: str
    status: str


_EMAILS = select(User.user_id, User.email).where(User.user_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_REGISTERED = select(User.user_id, User.created_at).where(User.user_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_NAMES = select(User.user_id, User.name).where(User.user_id == any_(bindparam("ids", type_=ARRAY(Uuid))))


@dataclass(frozen=True)
class LiveAccount:
    """What a valid access token needs: its session version. `member` of Prime now."""

    session_version: int
    member: bool
    email: str
    user_type: UserType


_MEMBER = and_(User.prime_member, or_(User.prime_expiry.is_(None), User.prime_expiry > func.now()))
_LIVE = select(User.session_version, _MEMBER.label("member"), User.email, User.user_type).where(
    User.user_id == bindparam("user_id"), User.status == "active"
)


async def profile_of(tx: ReadTx, actor: Actor) -> Profile:
    """The actor's own account. Raises: SessionEnded when it is gone."""
    profile = await tx.first_as(Profile, select(*_PROFILE).where(User.user_id == actor.user_id))
    if profile is None:
        raise SessionEnded("The account no longer exists.")
    return profile


async def credentials_of(tx: ReadTx, email: str) -> Credentials | None:
    """The account of a normalised address."""
    columns = (*ACCOUNT, User.password_hash, User.status)
    return await tx.first_as(Credentials, select(*columns).where(User.email == email))


async def live_account(tx: ReadTx, user_id: UUID) -> LiveAccount | None:
    """The account of an access token; None for suspended and missing accounts."""
    return await tx.first_as(LiveAccount, _LIVE, {"user_id": user_id})


async def emails_of(tx: ReadTx, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The addresses of accounts, for the mail that the worker sends them."""
    return {row[0]: row[1] for row in await tx.all(_EMAILS, {"ids": list(user_ids)})}


async def names_of(tx: ReadTx, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The names of accounts, for the invoices that the worker writes."""
    return await tx.fetch(names_query(user_ids))


def names_query(user_ids: Iterable[UUID]) -> Query[dict[UUID, str]]:
    """The query of `names_of`."""
    return Query(_NAMES, {"ids": list(user_ids)}, _by_account)


def _by_account(result: Result) -> dict[UUID, Any]:  # Any: the second column
    return {row[0]: row[1] for row in result.rows}


def public_name(name: str) -> str:
    """What everybody may see of a member who writes something: a first name and the initial of the last one, never an
    address."""
    words = name.split()
    if not words or "@" in name:
        return ANONYMOUS_AUTHOR
    return words[0] if len(words) == 1 else f"{words[0]} {words[-1][0].upper()}."


async def registered_at(tx: ReadTx, user_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    """When accounts were opened, for those who judge what new ones do."""
    return await tx.fetch(registered_query(user_ids))


def registered_query(user_ids: Iterable[UUID]) -> Query[dict[UUID, datetime]]:
    """The query of `registered_at`."""
    return Query(_REGISTERED, {"ids": list(user_ids)}, _by_account)


async def addresses_of(tx: ReadTx, actor: Actor) -> list[AddressBody]:
    """The actor's address book, the default first, then the newest."""
    order = (Address.is_default.desc(), Address.created_at.desc(), Address.address_id)
    return await tx.all_as(AddressBody, select(*_ADDRESS).where(Address.user_id == actor.user_id).order_by(*order))


async def address_of(tx: ReadTx, actor: Actor, address_id: UUID) -> AddressBody:
    """One address of the actor's own. Raises: AddressNotFound, also for other people's addresses."""
    own = (Address.user_id == actor.user_id, Address.address_id == address_id)
    address = await tx.first_as(AddressBody, select(*_ADDRESS).where(*own))
    if address is None:
        raise AddressNotFound("Your address book has no such address.")
    return address
