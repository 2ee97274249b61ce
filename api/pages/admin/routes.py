"""The administrators' pages in the browser: sign in, searches and synonyms, sign out. They work without scripts."""

from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from api.kernel.actor import Actor
from api.kernel.context import Context, Ctx
from api.kernel.errors import Conflict, NotFound
from api.kernel.pagination import MAX_PAGE, PageParams
from api.pages.admin import render as pages
from api.pages.admin.entry import ENTRY, administrator, answer, sender
from api.pages.base.answers import file_of
from api.pages.base.signing_in import Csrf, add_sign_in
from api.search.log import marts
from api.search.synonyms import commands, queries
from api.search.synonyms.schemas import QueryOrder, SynonymIn, SynonymState, Verdict

router = APIRouter(prefix="/admin", include_in_schema=False)
add_sign_in(router, ENTRY)

TERMS, SYNONYMS = 50, 25
_STYLE = Path(__file__).parent / "static" / "admin.css"
Period = Literal["7", "30", "90", "365"]
Text = Annotated[str, Form(max_length=200)]


@router.get("/search")
async def show_searches(
    *,
    request: Request,
    ctx: Ctx,
    days: Annotated[Period, Query()] = "30",
    order: Annotated[QueryOrder, Query()] = "frequent",
    state: Annotated[SynonymState, Query()] = "suggested",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    said: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """What is searched for and the synonyms in one state; whoever is not signed in is led to the form."""
    actor = await administrator(ctx, request)
    if actor is None:
        return ENTRY.lead_in()
    view = pages.View(days=int(days), order=order, state=state, page=page)
    return await _searches(ctx, request, actor, view, said=pages.SAID.get(said))


@router.post("/search/synonyms")
async def add_synonym(
    *, request: Request, ctx: Ctx, csrf: Csrf = "", word: Text = "", synonym: Text = "", language: Text = ""
) -> Response:
    """Accept a pair that an administrator typed in, or show what is wrong with it. The same pair again is that one."""
    actor = await sender(ctx, request, csrf)
    if actor is None:
        return ENTRY.lead_in()
    view = pages.View(days=30, order="frequent", state="accepted", page=1)
    try:
        body = SynonymIn.model_validate({"word": word, "synonym": synonym, "language": language.strip() or None})
    except ValidationError as error:
        typed = (word, synonym, language)
        return await _searches(ctx, request, actor, view, error=pages.in_words(error), typed=typed, status=422)
    await commands.add(ctx, actor, body)
    return _back("accepted", "accepted")


@router.post("/search/suggestions")
async def suggest(request: Request, ctx: Ctx, csrf: Csrf = "") -> Response:
    """Suggest what log and catalog say; what is known stays as it is."""
    actor = await sender(ctx, request, csrf)
    if actor is None:
        return ENTRY.lead_in()
    found = await commands.suggest(ctx, actor)
    return _back("suggested", "suggested" if found.added else "nothing")


@router.post("/search/decisions")
async def decide(
    *,
    request: Request,
    ctx: Ctx,
    csrf: Csrf = "",
    synonym_id: Annotated[UUID, Form()],
    decision: Annotated[Verdict, Form()],
    state: Annotated[SynonymState, Form()] = "suggested",
) -> Response:
    """Decide one synonym; the same decision again changes nothing."""
    actor = await sender(ctx, request, csrf)
    if actor is None:
        return ENTRY.lead_in()
    try:
        await commands.decide(ctx, actor, synonym_id, decision)
    except (Conflict, NotFound):
        return _back(state, "elsewhere")
    return _back(state, decision)


@router.get("/static/admin.css")
async def style() -> Response:
    """The one file of these pages, cached for a day."""
    return file_of(_STYLE)


async def _searches(
    ctx: Context,
    request: Request,
    actor: Actor,
    view: pages.View,
    *,
    said: str | None = None,
    error: str | None = None,
    typed: tuple[str, str, str] = ("", "", ""),
    status: int = 200,
) -> Response:
    report = await marts.report(ctx, view.days, view.order, TERMS)
    asked = PageParams(page=view.page, limit=SYNONYMS, cursor=None)
    async with ctx.db.read() as tx:
        shown, more = await queries.synonyms(tx, actor, view.state, asked, None)

    def html(csrf: str) -> str:
        return pages.searches_page(view, report, shown, more=more, csrf=csrf, said=said, error=error, typed=typed)

    return answer(ctx, request, html, status)


def _back(state: SynonymState, said: str) -> Response:
    return RedirectResponse(f"/admin/search?state={state}&said={said}#synonyms", 303)
