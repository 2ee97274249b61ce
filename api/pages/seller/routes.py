"""The seller's pages in the browser: sign in, dashboard, sign out, and the files they load.

No file is loaded from another host.
"""

import gzip
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import plotly
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from api.analytics import dashboard
from api.analytics.marts import MartReader
from api.identity import commands as identity
from api.identity import queries as identity_queries
from api.identity.errors import AccountSuspended, InvalidCredentials
from api.identity.schemas import Login
from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.context import Context, Ctx
from api.kernel.errors import NotFound
from api.pages.base import session
from api.pages.seller import render as pages
from api.sellers import queries

router = APIRouter(prefix="/seller", include_in_schema=False)

_STATIC = Path(__file__).parent / "static"
_PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_FILES = {
    "dashboard.css": _STATIC / "dashboard.css",
    "dashboard.js": _STATIC / "dashboard.js",
    "plotly.min.js": _PLOTLY,
}
Period = Literal["7", "30", "90", "365"]


@router.get("")
async def show_dashboard(
    request: Request,
    ctx: Ctx,
    days: Annotated[Period, Query()] = "30",
    currency: Annotated[str | None, Query(pattern="^[A-Z]{3}$")] = None,
) -> Response:
    """The signed-in seller's figures in one currency; other callers are redirected to the sign-in page."""
    actor = await _signed_in_seller(ctx, request)
    if actor is None or actor.user_id is None:
        return RedirectResponse("/seller/sign-in", 303)
    async with ctx.db.read() as tx:
        store = await queries.store_card(tx, actor.user_id)
    shown = await dashboard.dashboard_of(ctx, marts_of(ctx), actor, int(days), currency)
    nonce = session.csrf_nonce(request)
    return _page(pages.dashboard_page(store, shown, int(days), session.csrf_token(ctx.keys, nonce)), nonce)


@router.get("/sign-in")
async def show_sign_in(request: Request, ctx: Ctx) -> Response:
    nonce = session.csrf_nonce(request)
    return _page(pages.sign_in_page(session.csrf_token(ctx.keys, nonce), error=None, email=""), nonce)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    ctx: Ctx,
    email: Annotated[str, Form(max_length=255)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
    csrf: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Start a session, or show the form again with the error and the address that was entered."""
    nonce = session.csrf_nonce(request)
    error = await _sign_in_error(request, ctx, email, password, csrf)
    if error is None:
        async with ctx.db.read() as tx:
            user = await identity_queries.credentials_of(tx, email.strip().lower())
        if user is not None and user.user_type == "seller":
            answer = RedirectResponse("/seller", 303)
            session.start(ctx.keys, answer, user.user_id, user.session_version, secure=request.url.scheme == "https")
            return answer
        error = "This account is not a seller's."
    return _page(pages.sign_in_page(session.csrf_token(ctx.keys, nonce), error=error, email=email), nonce, status=422)


@router.post("/sign-out")
async def sign_out(request: Request, ctx: Ctx, csrf: Annotated[str, Form(max_length=100)] = "") -> Response:
    answer = RedirectResponse("/seller/sign-in", 303)
    if session.csrf_valid(ctx.keys, request, csrf):
        session.end(answer)
    return answer


@router.get("/static/{name}")
async def static_file(name: str) -> Response:
    """Styles and scripts, cached for a day; the chart library is read from its wheel."""
    path = _FILES.get(name)
    if path is None:
        raise NotFound("There is nothing at this address.")
    media_type = "text/css" if path.suffix == ".css" else "text/javascript"
    headers = {"Cache-Control": "public, max-age=86400", "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(_compressed(path), media_type=media_type, headers=headers)


@lru_cache(maxsize=8)
def _compressed(path: Path) -> bytes:
    """Compressed once per process: the chart library is 4.5 MB, and compressing
    it takes longer than the rest of the page."""
    return gzip.compress(path.read_bytes())


@lru_cache(maxsize=8)
def _reader(path: Path) -> MartReader:
    return MartReader(path)


def marts_of(ctx: Context) -> MartReader:
    """This process's warm connection to the published marts."""
    return _reader(ctx.settings.marts_path)


async def _sign_in_error(request: Request, ctx: Context, email: str, password: str, csrf: str) -> str | None:
    if not session.csrf_valid(ctx.keys, request, csrf):
        return "The form had expired. Please try again."
    try:
        await identity.login(ctx, ANONYMOUS, Login(email=email, password=password))
    except (InvalidCredentials, ValidationError):
        return "E-mail address or password is not right."
    except AccountSuspended:
        return "This account is suspended. Please contact support."
    return None


async def _signed_in_seller(ctx: Context, request: Request) -> Actor | None:
    claimed = session.read(ctx.keys, request)
    if claimed is None:
        return None
    user_id, version = claimed
    async with ctx.db.read() as tx:
        account = await identity_queries.live_account(tx, user_id)
    return Actor(kind="seller", user_id=user_id) if account and account.session_version == version else None


def _page(html: str, nonce: str, status: int = 200) -> Response:
    answer = HTMLResponse(html, status)
    # Plotly sets style attributes on its own elements, hence unsafe-inline for styles only.
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src"
        " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    answer.headers["Cache-Control"] = "no-store"
    answer.set_cookie(session.CSRF_COOKIE, nonce, path=session.PATH, httponly=True, samesite="lax")
    return answer
