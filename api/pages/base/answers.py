"""How pages and their files are answered. No file is loaded from another host."""

import gzip
from functools import lru_cache
from pathlib import Path

from fastapi import Response
from fastapi.responses import HTMLResponse

from api.pages.base import session
from api.pages.base.session import SELLER, Area


def page_of(html: str, nonce: str, status: int = 200, area: Area = SELLER) -> Response:
    """A page of an area, for the browser with this nonce."""
    answer = HTMLResponse(html, status)
    # Plotly sets style attributes on its own elements, hence unsafe-inline for styles only.
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src"
        " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    answer.headers["Cache-Control"] = "no-store"
    answer.set_cookie(session.CSRF_COOKIE, nonce, path=area.path, httponly=True, samesite="lax")
    return answer


@lru_cache(maxsize=8)
def compressed(path: Path) -> bytes:
    """Compressed once per process: the chart library is 4.5 MB, and compressing
    it takes longer than the rest of the page."""
    return gzip.compress(path.read_bytes())
