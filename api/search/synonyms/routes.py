"""HTTP of synonyms, and of what is searched for: for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.kernel.auth import AdminActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Page, PageLimit, by_id, page_of, place_of
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.search.log import marts
from api.search.synonyms import commands, queries
from api.search.synonyms.errors import SynonymNotFound, SynonymUnused
from api.search.synonyms.queries import UNKNOWN
from api.search.synonyms.schemas import (
    QueryOrder,
    SearchReport,
    Suggested,
    SynonymBody,
    SynonymDecisionIn,
    SynonymIn,
    SynonymList,
    SynonymState,
)

router = APIRouter(prefix="/admin/search", tags=["search"])
_ASKING = (NotAuthenticated, Forbidden, ValidationFailed)
SynonymId = Annotated[UUID, Depends(id_in_path("synonymId", lambda: SynonymNotFound(UNKNOWN)))]
Days = Annotated[int, Query(ge=1, le=400, description="Of the period, which ends with the newest day with a search")]


@router.get(
    "/queries",
    operation_id="reportSearches",
    summary="What is searched for, and what it leads to",
    responses=responses(*_ASKING),
)
async def report_searches(
    *,
    ctx: Ctx,
    actor: AdminActor,
    days: Days = 30,
    order: Annotated[
        QueryOrder, Query(description="By searches, by searches without a click, or by searches without a result")
    ] = "frequent",
    limit: PageLimit = 50,
) -> SearchReport:
    """As new as the marts, some minutes. Searches of programs are left out; what identifies a person shows as `***`."""
    return await marts.report(ctx, days, order, limit)


@router.get(
    "/synonyms",
    operation_id="listSynonyms",
    summary="Synonyms that are suggested, accepted, refused or removed",
    responses=responses(*_ASKING),
)
async def list_synonyms(
    ctx: Ctx, actor: AdminActor, page: Page, state: Annotated[SynonymState, Query()] = "suggested"
) -> SynonymList:
    """The newest first, each with who decided what and when."""
    listing = f"synonyms:{state}"
    before = place_of(page, ctx.keys, listing, by_id)
    async with ctx.db.read() as tx:
        shown, more = await queries.synonyms(tx, actor, state, page, before)
    following = page_of(page, ctx.keys, listing, shown, lambda one: [one.synonym_id], more=more)
    return SynonymList(synonyms=shown, pagination=following)


@router.post(
    "/synonyms",
    status_code=201,
    operation_id="addSynonym",
    summary="Accept a synonym of one's own",
    responses=responses(*_ASKING),
)
async def add_synonym(ctx: Ctx, actor: AdminActor, body: SynonymIn) -> SynonymBody:
    """Searches use it within seconds. The same pair again, in any order and spelling, is the same synonym."""
    return await commands.add(ctx, actor, body)


@router.post(
    "/synonyms/suggestions",
    operation_id="suggestSynonyms",
    summary="Suggest synonyms from the log of searches and from titles",
    responses=responses(*_ASKING),
)
async def suggest_synonyms(ctx: Ctx, actor: AdminActor) -> Suggested:
    """From searches in vain that another search of the same session followed which led to a click, and from titles of
    several sellers that say both. What was refused is not suggested again."""
    return await commands.suggest(ctx, actor)


@router.put(
    "/synonyms/{synonymId}/decision",
    operation_id="decideSynonym",
    summary="Accept, refuse or remove a synonym",
    responses=responses(*_ASKING, SynonymNotFound, SynonymUnused),
)
async def decide_synonym(ctx: Ctx, actor: AdminActor, synonym_id: SynonymId, body: SynonymDecisionIn) -> SynonymBody:
    """Searches follow within seconds. The same decision again changes nothing."""
    return await commands.decide(ctx, actor, synonym_id, body.decision)
