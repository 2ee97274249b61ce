"""HTTP of the moderation of reviews."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.catalog.errors import ProductNotFound
from api.catalog.routes import ProductId
from api.kernel.auth import AdminActor, SellerActor, SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Page, by_time, page_of, place_of
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.reviews.errors import NotYourProduct, ReviewChanged, ReviewNotFound
from api.reviews.moderation import commands, queries
from api.reviews.moderation.errors import AlreadyAppealed, NotAppealable, ReviewDecided
from api.reviews.moderation.schemas import (
    AppealIn,
    BuyersOnlyIn,
    ReopenIn,
    ReviewCase,
    ReviewDecisionIn,
    VotesReleased,
    WaitingReviewList,
)
from api.reviews.votes.brigades import release

router = APIRouter(tags=["reviews"])
ReviewId = Annotated[UUID, Depends(id_in_path("reviewId", ReviewNotFound))]
_ADMIN = (NotAuthenticated, Forbidden, ValidationFailed)
_QUEUE = "waiting-reviews"


@router.get(
    "/admin/reviews/queue",
    operation_id="listWaitingReviews",
    summary="Reviews that wait for an administrator",
    responses=responses(*_ADMIN),
)
async def list_waiting_reviews(ctx: Ctx, actor: AdminActor, page: Page) -> WaitingReviewList:
    """Those that have waited longest first: queued by the rules or by what was found later, reported, or appealed for.
    Continue with `nextCursor`, not with `page`."""
    async with ctx.db.read() as tx:
        shown, more = await queries.waiting(tx, actor, page, place_of(page, ctx.keys, _QUEUE, by_time))
    following = page_of(page, ctx.keys, _QUEUE, shown, lambda one: (one.queued_at, one.review_id), more=more)
    return WaitingReviewList(reviews=shown, pagination=following)


@router.put(
    "/admin/reviews/{reviewId}/decision",
    operation_id="decideReview",
    summary="Publish or reject a review",
    responses=responses(*_ADMIN, ReviewNotFound, ReviewChanged, ReviewDecided),
)
async def decide_review(ctx: Ctx, actor: AdminActor, review_id: ReviewId, body: ReviewDecisionIn) -> ReviewCase:
    """About the `version` that was seen: 412 when its author has edited it since, 409 when another administrator was
    first. The author is told by mail, with the statement of reasons."""
    return await commands.decide(ctx, actor, review_id, body)


@router.put(
    "/admin/reviews/{reviewId}/reopening",
    operation_id="reopenReview",
    summary="Look at a review again",
    responses=responses(*_ADMIN, ReviewNotFound),
)
async def reopen_review(ctx: Ctx, actor: AdminActor, review_id: ReviewId, body: ReopenIn) -> ReviewCase:
    """It waits in the queue, and nobody sees it until it is decided."""
    return await commands.reopen(ctx, actor, review_id, body)


@router.put(
    "/admin/reviews/{reviewId}/votes/release",
    operation_id="releaseVotes",
    summary="Let the votes on a review count that were set aside",
    responses=responses(*_ADMIN, ReviewNotFound),
)
async def release_votes(ctx: Ctx, actor: AdminActor, review_id: ReviewId) -> VotesReleased:
    """They are not set aside again. Again changes nothing."""
    return await release(ctx, actor, review_id)


@router.get(
    "/reviews/{reviewId}/decisions",
    operation_id="listReviewDecisions",
    summary="What was decided about your own review, and why",
    responses=responses(NotAuthenticated, ReviewNotFound),
)
async def list_review_decisions(ctx: Ctx, actor: SignedIn, review_id: ReviewId) -> ReviewCase:
    """The newest first, each with its reasons. Administrators see those of all."""
    async with ctx.db.read() as tx:
        return await queries.case_of(tx, actor, review_id)


@router.put(
    "/reviews/{reviewId}/appeal",
    operation_id="appealForReview",
    summary="Say why your own rejected review should be published",
    responses=responses(NotAuthenticated, ReviewNotFound, NotAppealable, AlreadyAppealed, ValidationFailed),
)
async def appeal_for_review(ctx: Ctx, actor: SignedIn, review_id: ReviewId, body: AppealIn) -> ReviewCase:
    """Once; the same words again are that once. An administrator decides, and you are told by mail."""
    return await commands.appeal(ctx, actor, review_id, body)


@router.put(
    "/sellers/me/reviews/buyers-only",
    status_code=204,
    operation_id="setBuyersOnlyForStore",
    summary="Take reviews of your products from their buyers only, or from everybody",
    responses=responses(NotAuthenticated, Forbidden, ValidationFailed),
)
async def set_buyers_only_for_store(ctx: Ctx, actor: SellerActor, body: BuyersOnlyIn) -> Response:
    """For all of your products; reviews that are there stay."""
    assert actor.user_id is not None
    await commands.set_buyers_only(ctx, actor, actor.user_id, wanted=body.buyers_only)
    return Response(status_code=204)


@router.put(
    "/products/{productId}/reviews/buyers-only",
    status_code=204,
    operation_id="setBuyersOnly",
    summary="Take reviews of a product from its buyers only, or from everybody",
    responses=responses(NotAuthenticated, Forbidden, ProductNotFound, NotYourProduct, ValidationFailed),
)
async def set_buyers_only(ctx: Ctx, actor: SellerActor, product_id: ProductId, body: BuyersOnlyIn) -> Response:
    """Of your own product; reviews that are there stay."""
    await commands.set_buyers_only(ctx, actor, product_id, wanted=body.buyers_only)
    return Response(status_code=204)
