"""Sign in by a form and out, in every area of pages, and who has."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.identity import commands as identity
from api.identity import queries as identity_queries
from api.identity.errors import AccountSuspended, InvalidCredentials
from api.identity.queries import Credentials
from api.identity.schemas import Login
from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.context import Context, Ctx
from api.pages.base import session
from api.pages.base.answers import answer
from api.pages.base.rendering import environment
from api.pages.base.session import Area

Csrf = Annotated[str, Form(max_length=100)]
_FORM = environment().get_template("sign_in.html")


@dataclass(frozen=True, slots=True)
class Entry:
    """The way into an area. `home`: where whoever has signed in is led; `refusal`: what an account of another kind is
    told."""

    area: Area
    home: str
    title: str
    heading: str
    refusal: str

    @property
    def address(self) -> str:
        return f"{self.area.path}/sign-in"

    def lead_in(self) -> Response:
        """Where whoever is not signed in is led."""
        return RedirectResponse(self.address, 303)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The form as it was sent."""

    email: str
    password: str = field(repr=False)
    csrf: str


def add_sign_in(router: APIRouter, entry: Entry) -> None:
    """Add the form, what it sends, and the way out to the routes of an area."""
    area = entry.area

    def form(ctx: Context, request: Request, error: str | None = None, email: str = "") -> Response:
        def html(csrf: str) -> str:
            return _FORM.render(entry=entry, csrf=csrf, error=error, email=email)

        return answer(ctx, request, area, html, 200 if error is None else 422)

    @router.get("/sign-in")
    async def show_sign_in(request: Request, ctx: Ctx) -> Response:
        return form(ctx, request)

    @router.post("/sign-in")
    async def sign_in(
        request: Request,
        ctx: Ctx,
        email: Annotated[str, Form(max_length=255)] = "",
        password: Annotated[str, Form(max_length=200)] = "",
        csrf: Csrf = "",
    ) -> Response:
        """Start a session, or show the form again with the error and the address that was entered."""
        error = await _error(request, ctx, area, _Sent(email, password, csrf))
        if error is not None:
            return form(ctx, request, error, email)
        user = await _account_with(ctx, email)
        if user is None or user.user_type != area.kind:
            return form(ctx, request, entry.refusal, email)
        home, secure = RedirectResponse(entry.home, 303), request.url.scheme == "https"
        session.start(ctx.keys, home, user.user_id, user.session_version, secure=secure, area=area)
        return home

    @router.post("/sign-out")
    async def sign_out(request: Request, ctx: Ctx, csrf: Csrf = "") -> Response:
        out = entry.lead_in()
        if session.csrf_valid(ctx.keys, request, csrf, area):
            session.end(out, area)
        return out


async def _error(request: Request, ctx: Context, area: Area, form: _Sent) -> str | None:
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


async def _account_with(ctx: Context, email: str) -> Credentials | None:
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


async def sender(ctx: Context, request: Request, area: Area, csrf: str) -> Actor | None:
    """Who sent a form of ours; nobody without a session, or when the form came from elsewhere."""
    return await signed_in(ctx, request, area) if session.csrf_valid(ctx.keys, request, csrf, area) else None
