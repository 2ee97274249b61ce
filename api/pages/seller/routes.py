"""The seller's pages in the browser: sign in, dashboard, sign out, and the files they load.

No file is loaded from another host.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import plotly
from fastapi import APIRouter, Query, Request, Response

from api.analytics import dashboard
from api.analytics.marts import MartReader
from api.kernel.context import Context, Ctx
from api.kernel.errors import NotFound
from api.pages.base.answers import answer, file_of
from api.pages.base.session import SELLER
from api.pages.base.signing_in import Entry, add_sign_in, signed_in
from api.pages.seller import render as pages
from api.sellers import queries

_ENTRY = Entry(
    area=SELLER,
    home="/seller",
    title="Seller sign-in",
    heading="Sign in to your store",
    refusal="This account is not a seller's.",
)
router = APIRouter(prefix="/seller", include_in_schema=False)
add_sign_in(router, _ENTRY)
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
    actor = await signed_in(ctx, request, SELLER)
    if actor is None or actor.user_id is None:
        return _ENTRY.lead_in()
    async with ctx.db.read() as tx:
        store = await queries.store_card(tx, actor.user_id)
    shown = await dashboard.dashboard_of(ctx, marts_of(ctx), actor, int(days), currency)
    return answer(ctx, request, SELLER, lambda csrf: pages.dashboard_page(store, shown, int(days), csrf))


@router.get("/static/{name}")
async def static_file(name: str) -> Response:
    """Styles and scripts, cached for a day; the chart library is read from its wheel."""
    path = _FILES.get(name)
    if path is None:
        raise NotFound("There is nothing at this address.")
    return file_of(path)


@lru_cache(maxsize=8)
def _reader(path: Path) -> MartReader:
    return MartReader(path)


def marts_of(ctx: Context) -> MartReader:
    """This process's warm connection to the published marts."""
    return _reader(ctx.settings.marts_path)
