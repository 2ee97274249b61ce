"""How pages and their files are answered. No file is loaded from another host."""

import gzip
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from api.kernel.context import Context
from api.pages.base import session
from api.pages.base.session import Area


def answer(ctx: Context, request: Request, area: Area, html: Callable[[str], str], status: int = 200) -> Response:
    """A page of an area; `html` makes it of the token that its forms carry."""
    nonce = session.csrf_nonce(request)
    page = HTMLResponse(html(session.csrf_token(ctx.keys, nonce, area)), status)
    # Plotly sets style attributes on its own elements, hence unsafe-inline for styles only.
    page.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src"
        " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    page.headers["Cache-Control"] = "no-store"
    page.set_cookie(session.CSRF_COOKIE, nonce, path=area.path, httponly=True, samesite="lax")
    return page


def file_of(path: Path) -> Response:
    """A style or script, cached for a day."""
    media_type = "text/css" if path.suffix == ".css" else "text/javascript"
    headers = {"Cache-Control": "public, max-age=86400", "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(_compressed(path), media_type=media_type, headers=headers)


@lru_cache(maxsize=8)
def _compressed(path: Path) -> bytes:
    """Compressed once per process: the chart library is 4.5 MB, and compressing
    it takes longer than the rest of the page."""
    return gzip.compress(path.read_bytes())
