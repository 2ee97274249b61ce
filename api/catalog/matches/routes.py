"""HTTP of offer matches."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.catalog.matches import commands, queries
from api.catalog.matches.errors import MatchDecided, MatchNotFound
from api.catalog.matches.queries import UNKNOWN, Pair
from api.catalog.matches.schemas import MatchDecisionIn, MatchState, OfferMatchBody, OfferMatchList
from api.kernel.auth import AdminActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Page, by_time, page_of, place_of
from api.kernel.paths import id_in_path
from api.kernel.problems import responses

router = APIRouter(prefix="/admin/offer-matches", tags=["offers"])
_ASKING = (NotAuthenticated, Forbidden, ValidationFailed)
_ONE = "/{productId}/{otherProductId}/decision"
Id = Annotated[UUID, Depends(id_in_path("productId", lambda: MatchNotFound(UNKNOWN)))]
OtherId = Annotated[UUID, Depends(id_in_path("otherProductId", lambda: MatchNotFound(UNKNOWN)))]


@router.get(
    "",
    operation_id="listOfferMatches",
    summary="Products of several sellers that seem to be one article",
    responses=responses(*_ASKING),
)
async def list_offer_matches(
    ctx: Ctx, actor: AdminActor, page: Page, state: Annotated[MatchState, Query()] = "open"
) -> OfferMatchList:
    """The oldest first; continue with `nextCursor`, not with `page`. Open ones are not listed while there is nothing to
    decide: when the two are one article already, or one of them is deleted."""
    listing = f"offer-matches:{state}"
    after = place_of(page, ctx.keys, listing, lambda values: (*by_time(values), UUID(values[2])))
    async with ctx.db.read() as tx:
        shown, more = await queries.matches(tx, actor, state, page, after)
    following = page_of(page, ctx.keys, listing, shown, _place, more=more)
    return OfferMatchList(matches=shown, pagination=following)


def _place(match: OfferMatchBody) -> tuple[datetime, UUID, UUID]:
    return match.created_at, match.product.product_id, match.other_product.product_id


@router.put(
    _ONE,
    operation_id="decideOfferMatch",
    summary="Say whether two products are one article",
    responses=responses(*_ASKING, MatchNotFound, MatchDecided),
)
async def decide_offer_match(
    *, ctx: Ctx, actor: AdminActor, product_id: Id, other_product_id: OtherId, body: MatchDecisionIn
) -> OfferMatchBody:
    """A confirmed match joins the articles of the two with all that is one with either; their offers are shown together
    within a second. Another decision is 409 until this one is undone."""
    return await commands.decide(ctx, actor, Pair(product_id, other_product_id), body)


@router.delete(
    _ONE,
    operation_id="undoOfferMatch",
    summary="Undo a decision about a match",
    responses=responses(*_ASKING, MatchNotFound),
)
async def undo_offer_match(ctx: Ctx, actor: AdminActor, product_id: Id, other_product_id: OtherId) -> OfferMatchBody:
    """The match waits again. What it had joined is apart, unless other matches or a GTIN still join it."""
    return await commands.undo(ctx, actor, Pair(product_id, other_product_id))
