"""Accounts that the operator creates, without HTTP: demo accounts and the first admin."""

from uuid import UUID

from sqlalchemy import func, insert, select, update

from api.identity import passwords, tokens
from api.identity.models import User
from api.kernel.db import Database, Tx
from api.kernel.ids import new_id
from api.kernel.security import hash_password
from api.sellers import commands as sellers


async def account_with(
    db: Database, *, email: str, name: str, user_type: str, password: str, user_id: UUID | None = None
) -> UUID:
    """Ensure that `email` can sign in with `password`; returns the user's id.

    The account is, in this order: the one that has the e-mail address; the existing user `user_id`, who gets the
    address (a seller or customer of loaded history who could not sign in); a new one of `user_type`. A new password
    ends every session that the old one began.
    Raises: ValidationFailed for a password that is easy to guess.
    """
    passwords.require_acceptable(password, email=email, name=name)
    password_hash = await hash_password(passwords.normalised(password))

    async def work(tx: Tx) -> UUID:
        known: UUID | None = await tx.scalar(select(User.user_id).where(User.email == email)) or user_id
        if known is None:
            return await _create(tx, email, name, user_type, password_hash)
        changed = {
            "email": email,
            "password_hash": password_hash,
            "session_version": User.session_version + 1,
            "updated_at": func.now(),
        }
        await tx.execute(update(User).where(User.user_id == known).values(changed))
        await tokens.revoke_all(tx, known)
        return known

    return await db.run(work)


async def _create(tx: Tx, email: str, name: str, user_type: str, password_hash: str) -> UUID:
    user_id = new_id()
    await tx.execute(
        insert(User).values(user_id=user_id, email=email, name=name, user_type=user_type, password_hash=password_hash)
    )
    if user_type == "seller":
        await sellers.open_store(tx, user_id, name, verified=True)  # the operator knows them
    return user_id
