"""Sign-in by a form, for every area of pages."""

from dataclasses import dataclass, field

from fastapi import Request
from pydantic import ValidationError

from api.identity import commands as identity
from api.identity import queries as identity_queries
from api.identity.errors import AccountSuspended, InvalidCredentials
from api.identity.queries import Credentials
from api.identity.schemas import Login
from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.context import Context
from api.pages.base import session
from api.pages.base.session import Area


@dataclass(frozen=True, slots=True)
class SignInForm:
    """As it was sent."""

    email: str
    password: str = field(repr=False)
    csrf: str


async def sign_in_error(request: Request, ctx: Context, area: Area, form: SignInForm) -> str | None:
    """What is wrong with the form, in words; None when the password is right."""
    if not session.csrf_valid(ctx.keys, request, form.csrf, area):
        return "The form had expired. Please try again."
    try:
        await identity.login(ctx, ANONYMOUS, Login(email=form.email, password=form.password))
    except (InvalidCredentials, ValidationError):
        return "E-mail address or password is not right."
    except AccountSuspended:
        return "This account is suspended. Please contact support."
    return None


async def account_with(ctx: Context, email: str) -> Credentials | None:
    """The account that has just signed in."""
    async with ctx.db.read() as tx:
        return await identity_queries.credentials_of(tx, email.strip().lower())


async def signed_in(ctx: Context, request: Request, area: Area) -> Actor | None:
    """Whose session the browser has; None without one that counts."""
    claimed = session.read(ctx.keys, request, area)
    if claimed is None:
        return None
    user_id, version = claimed
    async with ctx.db.read() as tx:
        account = await identity_queries.live_account(tx, user_id)
    counts = account is not None and (account.session_version, account.user_type) == (version, area.kind)
    return Actor(kind=area.kind, user_id=user_id) if counts else None
