"""Accounts: register, sign in, change the profile."""

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from api.carts import commands as carts
from api.events import stream
from api.identity import passwords, queries, tokens
from api.identity.errors import AccountSuspended, EmailTaken, InvalidCredentials
from api.identity.models import User
from api.identity.queries import ACCOUNT, Account
from api.identity.schemas import Login, Profile, ProfileChange, Register, SignedInUser, UserBrief
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.security import AccessClaims, check_password, hash_password, needs_rehash
from api.sellers import commands as sellers


async def register(ctx: Context, actor: Actor, body: Register) -> SignedInUser:
    """Create the account, its store if it is a seller's, and its first session; a
    guest's cart is merged into the account's.

    Raises: ValidationFailed for a password that is easy to guess; EmailTaken (409).
    """
    passwords.require_acceptable(body.password, email=body.email, name=body.name)
    password_hash = await hash_password(passwords.normalised(body.password))

    async def work(tx: Tx) -> SignedInUser:
        values = {
            "user_id": new_id(),
            "email": body.email,
            "password_hash": password_hash,
            "name": body.name.strip(),
            "phone": body.phone,
            "user_type": body.user_type,
        }
        added = insert(User).values(values).on_conflict_do_nothing(index_elements=["email"]).returning(*ACCOUNT)
        account = await tx.first_as(Account, added)
        if account is None:
            raise EmailTaken("Sign in with this e-mail address, or register another one.")
        if account.user_type == "seller":
            verified = ctx.settings.verifies_sellers_at_once
            await sellers.open_store(tx, account.user_id, account.name, verified=verified)
        await outbox.emit(tx, "user", account.user_id, "UserRegistered", {"userType": account.user_type})
        return await _signed_in(ctx, tx, actor, account)

    return await _taken_over(ctx, actor, _merged(ctx, actor, await ctx.db.run(work)))


async def login(ctx: Context, actor: Actor, body: Login) -> SignedInUser:
    """Start a session. Takes as long for an unknown address as for a wrong password.

    Raises: InvalidCredentials (401); AccountSuspended (403) only after the right password.
    """
    password = passwords.normalised(body.password)
    async with ctx.db.read() as read:
        user = await queries.credentials_of(read, body.email)
    right = await check_password(user.password_hash if user else None, password)
    if user is None or not right:
        raise InvalidCredentials("Check the e-mail address and the password.")
    if user.status != "active":
        raise AccountSuspended("Write to support to have the account reviewed.")
    renewed = await hash_password(password) if needs_rehash(user.password_hash) else None

    async def work(tx: Tx) -> SignedInUser:
        if renewed is not None:
            # Replace only the hash that was checked: a password changed in between stays.
            same = (User.user_id == user.user_id, User.password_hash == user.password_hash)
            await tx.execute(update(User).where(*same).values(password_hash=renewed))
        return await _signed_in(ctx, tx, actor, user)

    return await _taken_over(ctx, actor, _merged(ctx, actor, await ctx.db.run(work)))


async def change_profile(ctx: Context, actor: Actor, change: ProfileChange) -> Profile:
    """Set the fields that were sent; `name` cannot be emptied."""
    sent = {
        field: getattr(change, field) for field in change.model_fields_set if field != "name" or change.name is not None
    }

    async def work(tx: Tx) -> Profile:
        if sent:
            await tx.execute(update(User).where(User.user_id == actor.user_id).values(**sent, updated_at=func.now()))
        return await queries.profile_of(tx, actor)

    return await ctx.db.run(work)


async def _taken_over(ctx: Context, actor: Actor, signed_in: SignedInUser) -> SignedInUser:
    """Give the account what its guest just looked at: the guest's session is replaced."""
    if actor.session_id is not None and not actor.new_session:
        await stream.hand_over(ctx.redis, actor.session_id, signed_in.user.user_id)
    return signed_in


async def _signed_in(ctx: Context, tx: Tx, actor: Actor, account: Account) -> SignedInUser:
    """A new session; the guest's cart is merged into the account's."""
    await carts.merge_guest_cart(ctx.settings, tx, actor.session_id, account.user_id)
    pair = await tokens.start_session(
        ctx, tx, AccessClaims(account.user_id, account.user_type, account.session_version)
    )
    brief = UserBrief(user_id=account.user_id, email=account.email, name=account.name, user_type=account.user_type)
    return SignedInUser(user=brief, **pair.model_dump())


def _merged(ctx: Context, actor: Actor, signed_in: SignedInUser) -> SignedInUser:
    """After the commit: who looks at either cart hears of it."""
    carts.announce_merge(ctx, actor, signed_in.user.user_id)
    return signed_in
