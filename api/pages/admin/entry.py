"""What every page of administrators shares: the way in, who sent a form, and the frame around the page."""

from collections.abc import Callable
from pathlib import Path

from fastapi import Request, Response
from jinja2 import Environment

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.pages.base import answers, rendering, signing_in
from api.pages.base.session import ADMIN

ENTRY = signing_in.Entry(
    area=ADMIN,
    home="/admin/search",
    title="Administrator sign-in",
    heading="Sign in to administer the shop",
    refusal="This account is not an administrator's.",
)


def environment(folder: Path) -> Environment:
    """Of the templates of a page, which extend `area.html`."""
    return rendering.environment(folder, Path(__file__).parent / "templates")


async def administrator(ctx: Context, request: Request) -> Actor | None:
    """Whose session the browser has."""
    return await signing_in.signed_in(ctx, request, ADMIN)


async def sender(ctx: Context, request: Request, csrf: str) -> Actor | None:
    """Who sent a form of ours."""
    return await signing_in.sender(ctx, request, ADMIN, csrf)


def answer(ctx: Context, request: Request, html: Callable[[str], str], status: int = 200) -> Response:
    """A page; `html` makes it of the token that its forms carry."""
    return answers.answer(ctx, request, ADMIN, html, status)
