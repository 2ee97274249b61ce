"""The queue of reviews in the browser: what waits, with its reasons, and a form for each decision. It works without
scripts; whoever is not signed in as an administrator is led to the form of `/admin/sign-in`."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.kernel.context import Ctx
from api.kernel.errors import Conflict, NotFound, PreconditionFailed, Problem
from api.kernel.pagination import PageParams, by_time, page_of, place_of
from api.pages.admin.entry import ENTRY, administrator, answer, sender
from api.pages.admin.reviews import render as pages
from api.pages.base.signing_in import Csrf
from api.reviews.moderation import commands, queries
from api.reviews.moderation.schemas import ReviewDecisionIn
from api.reviews.votes.brigades import release

router = APIRouter(prefix="/admin/reviews", include_in_schema=False)

HERE = "/admin/reviews"
AT_ONCE = 20
_LISTING = "waiting-reviews-page"


@router.get("")
async def show_queue(
    request: Request,
    ctx: Ctx,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    said: Annotated[str, Query(max_length=30)] = "",
) -> Response:
    """Those that have waited longest first."""
    actor = await administrator(ctx, request)
    if actor is None:
        return ENTRY.lead_in()
    try:
        page = PageParams(page=1, limit=AT_ONCE, cursor=cursor)
        place = place_of(page, ctx.keys, _LISTING, by_time)
    except Problem:
        return RedirectResponse(HERE, 303)
    async with ctx.db.read() as tx:
        shown, more = await queries.waiting(tx, actor, page, place)
    behind = page_of(page, ctx.keys, _LISTING, shown, lambda one: (one.queued_at, one.review_id), more=more)

    def html(csrf: str) -> str:
        return pages.queue_page(shown, behind.next_cursor, csrf=csrf, said=pages.SAID.get(said))

    return answer(ctx, request, html)


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
    actor = await sender(ctx, request, csrf)
    if actor is None:
        return ENTRY.lead_in()
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
    actor = await sender(ctx, request, csrf)
    if actor is None:
        return ENTRY.lead_in()
    try:
        await release(ctx, actor, review_id)
    except NotFound:
        return _back("elsewhere")
    return _back("released")


def _back(said: str) -> Response:
    return RedirectResponse(f"{HERE}?said={said}", 303)
