"""The seller's pages in the browser: sign in, dashboard, sign out, and the files they load.

No file is loaded from another host.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import plotly
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.analytics import dashboard
from api.analytics.marts import MartReader
from api.kernel.context import Context, Ctx
from api.kernel.errors import NotFound
from api.pages.base import session
from api.pages.base.answers import compressed, page_of
from api.pages.base.signing_in import SignInForm, account_with, sign_in_error, signed_in
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
    actor = await signed_in(ctx, request, session.SELLER)
    if actor is None or actor.user_id is None:
        return RedirectResponse("/seller/sign-in", 303)
    async with ctx.db.read() as tx:
        store = await queries.store_card(tx, actor.user_id)
    shown = await dashboard.dashboard_of(ctx, marts_of(ctx), actor, int(days), currency)
    nonce = session.csrf_nonce(request)
    return page_of(pages.dashboard_page(store, shown, int(days), session.csrf_token(ctx.keys, nonce)), nonce)


@router.get("/sign-in")
async def show_sign_in(request: Request, ctx: Ctx) -> Response:
    nonce = session.csrf_nonce(request)
    return page_of(pages.sign_in_page(session.csrf_token(ctx.keys, nonce), error=None, email=""), nonce)


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
    error = await sign_in_error(request, ctx, session.SELLER, SignInForm(email, password, csrf))
    if error is None:
        user = await account_with(ctx, email)
        if user is not None and user.user_type == "seller":
            answer = RedirectResponse("/seller", 303)
            session.start(ctx.keys, answer, user.user_id, user.session_version, secure=request.url.scheme == "https")
            return answer
        error = "This account is not a seller's."
    return page_of(pages.sign_in_page(session.csrf_token(ctx.keys, nonce), error=error, email=email), nonce, status=422)


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
    return Response(compressed(path), media_type=media_type, headers=headers)


@lru_cache(maxsize=8)
def _reader(path: Path) -> MartReader:
    return MartReader(path)


def marts_of(ctx: Context) -> MartReader:
    """This process's warm connection to the published marts."""
    return _reader(ctx.settings.marts_path)
