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
from api.pages.base import session
from api.pages.base.answers import compressed, page_of
from api.pages.base.session import ADMIN
from api.pages.base.signing_in import SignInForm, account_with, sign_in_error, signed_in
from api.search.log import marts
from api.search.synonyms import commands, queries
from api.search.synonyms.schemas import QueryOrder, SynonymIn, SynonymState, Verdict

router = APIRouter(prefix="/admin", include_in_schema=False)

SIGN_IN = "/admin/sign-in"
TERMS, SYNONYMS = 50, 25
_STYLE = Path(__file__).parent / "static" / "admin.css"
Period = Literal["7", "30", "90", "365"]
Csrf = Annotated[str, Form(max_length=100)]
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
    actor = await signed_in(ctx, request, ADMIN)
    if actor is None:
        return RedirectResponse(SIGN_IN, 303)
    view = pages.View(days=int(days), order=order, state=state, page=page)
    return await _searches(ctx, request, actor, view, said=pages.SAID.get(said))


@router.post("/search/synonyms")
async def add_synonym(
    *, request: Request, ctx: Ctx, csrf: Csrf = "", word: Text = "", synonym: Text = "", language: Text = ""
) -> Response:
    """Accept a pair that an administrator typed in, or show what is wrong with it. The same pair again is that one."""
    actor = await _allowed(request, ctx, csrf)
    if actor is None:
        return RedirectResponse(SIGN_IN, 303)
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
    actor = await _allowed(request, ctx, csrf)
    if actor is None:
        return RedirectResponse(SIGN_IN, 303)
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
    actor = await _allowed(request, ctx, csrf)
    if actor is None:
        return RedirectResponse(SIGN_IN, 303)
    try:
        await commands.decide(ctx, actor, synonym_id, decision)
    except (Conflict, NotFound):
        return _back(state, "elsewhere")
    return _back(state, decision)


@router.get("/sign-in")
async def show_sign_in(request: Request, ctx: Ctx) -> Response:
    nonce = session.csrf_nonce(request)
    html = pages.sign_in_page(session.csrf_token(ctx.keys, nonce, ADMIN), error=None, email="")
    return page_of(html, nonce, area=ADMIN)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    ctx: Ctx,
    email: Annotated[str, Form(max_length=255)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
    csrf: Csrf = "",
) -> Response:
    """Start a session, or show the form again with the error and the address that was entered."""
    nonce = session.csrf_nonce(request)
    error = await sign_in_error(request, ctx, ADMIN, SignInForm(email, password, csrf))
    if error is None:
        user = await account_with(ctx, email)
        if user is not None and user.user_type == "admin":
            answer = RedirectResponse("/admin/search", 303)
            secure = request.url.scheme == "https"
            session.start(ctx.keys, answer, user.user_id, user.session_version, secure=secure, area=ADMIN)
            return answer
        error = "This account is not an administrator's."
    html = pages.sign_in_page(session.csrf_token(ctx.keys, nonce, ADMIN), error=error, email=email)
    return page_of(html, nonce, 422, ADMIN)


@router.post("/sign-out")
async def sign_out(request: Request, ctx: Ctx, csrf: Csrf = "") -> Response:
    answer = RedirectResponse(SIGN_IN, 303)
    if session.csrf_valid(ctx.keys, request, csrf, ADMIN):
        session.end(answer, ADMIN)
    return answer


@router.get("/static/admin.css")
async def style() -> Response:
    """The one file of these pages, cached for a day."""
    headers = {"Cache-Control": "public, max-age=86400", "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(compressed(_STYLE), media_type="text/css", headers=headers)


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
    nonce = session.csrf_nonce(request)
    csrf = session.csrf_token(ctx.keys, nonce, ADMIN)
    html = pages.searches_page(view, report, shown, more=more, csrf=csrf, said=said, error=error, typed=typed)
    return page_of(html, nonce, status, ADMIN)


async def _allowed(request: Request, ctx: Context, csrf: str) -> Actor | None:
    """Who sent a form of ours; nobody without a session, or when the form came from elsewhere."""
    return await signed_in(ctx, request, ADMIN) if session.csrf_valid(ctx.keys, request, csrf, ADMIN) else None


def _back(state: SynonymState, said: str) -> Response:
    return RedirectResponse(f"/admin/search?state={state}&said={said}#synonyms", 303)
