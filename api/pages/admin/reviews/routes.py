"""The queue of reviews in the browser: what waits, with its reasons, and a form for each decision. It works without
scripts; whoever is not signed in as an administrator is led to the form of `/admin/sign-in`."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.kernel.context import Ctx
from api.kernel.errors import Conflict, NotFound, PreconditionFailed, Problem
from api.kernel.pagination import PageParams, by_time, pagination, place_of
from api.pages.admin.reviews import render as pages
from api.pages.base import session
from api.pages.base.answers import page_of
from api.pages.base.session import ADMIN
from api.pages.base.signing_in import signed_in
from api.reviews.moderation import commands, queries
from api.reviews.moderation.schemas import ReviewDecisionIn
from api.reviews.votes.brigades import release

router = APIRouter(prefix="/admin/reviews", include_in_schema=False)

SIGN_IN, HERE = "/admin/sign-in", "/admin/reviews"
AT_ONCE = 20
_LISTING = "waiting-reviews-page"
Csrf = Annotated[str, Form(max_length=100)]


@router.get("")
async def show_queue(
    request: Request,
    ctx: Ctx,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    said: Annotated[str, Query(max_length=30)] = "",
) -> Response:
    """Those that have waited longest first."""
    actor = await signed_in(ctx, request, ADMIN)
    if actor is None:
        return RedirectResponse(SIGN_IN, 303)
    try:
        page = PageParams(page=1, limit=AT_ONCE, cursor=cursor)
        place = place_of(page, ctx.keys, _LISTING, by_time)
    except Problem:
        return RedirectResponse(HERE, 303)
    async with ctx.db.read() as tx:
        shown, more = await queries.waiting(tx, actor, page, place)
    last = (shown[-1].queued_at, shown[-1].review_id) if more else None
    following = pagination(page, ctx.keys, _LISTING, None, last).next_cursor
    nonce = session.csrf_nonce(request)
    csrf = session.csrf_token(ctx.keys, nonce, ADMIN)
    return page_of(pages.queue_page(shown, following, csrf=csrf, said=pages.SAID.get(said)), nonce, area=ADMIN)


@router.post("/decisions")
async def decide(
    *,
    request: Request,
    ctx: Ctx,
    csrf: Csrf = "",
    review_id: Annotated[UUID, Form()],
    version: Annotated[int, Form(ge=1)],
    decision: Annotated[Literal["publish", "reject"], Form()],
    statement: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Decide one review as it was shown; the page says what became of that."""
    if not session.csrf_valid(ctx.keys, request, csrf, ADMIN):
        return RedirectResponse(SIGN_IN, 303)
    actor = await signed_in(ctx, request, ADMIN)
    if actor is None:
        return RedirectResponse(SIGN_IN, 303)
    try:
        said = statement.replace("\r\n", "\n").strip() or None
        body = ReviewDecisionIn(version=version, decision=decision, statement=said)
    except ValidationError:
        return _back("why")
    try:
        await commands.decide(ctx, actor, review_id, body)
    except (Conflict, NotFound, PreconditionFailed):
        return _back("elsewhere")
    return _back(decision)


@router.post("/votes")
async def release_votes(request: Request, ctx: Ctx, review_id: Annotated[UUID, Form()], csrf: Csrf = "") -> Response:
    """Let the votes count that were set aside."""
    actor = await signed_in(ctx, request, ADMIN) if session.csrf_valid(ctx.keys, request, csrf, ADMIN) else None
    if actor is None:
        return RedirectResponse(SIGN_IN, 303)
    try:
        await release(ctx, actor, review_id)
    except NotFound:
        return _back("elsewhere")
    return _back("released")


def _back(said: str) -> Response:
    return RedirectResponse(f"{HERE}?said={said}", 303)
