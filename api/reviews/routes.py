"""HTTP of reviews."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from api.catalog.errors import ProductNotFound
from api.catalog.routes import ProductId
from api.kernel import etags
from api.kernel.actor import Actor
from api.kernel.auth import AccountActor, SignedIn
from api.kernel.body_limits import takes_up_to
from api.kernel.context import Context, Ctx
from api.kernel.errors import NotAuthenticated, TooManyRequests, ValidationFailed
from api.kernel.pagination import Cursor, Page, PageLimit, PageNumber, PageParams
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.media.errors import StoreSilent
from api.reviews import commands, queries
from api.reviews.errors import AlreadyReviewed, OwnProductReview, ReviewChanged, ReviewNotFound
from api.reviews.judging.filing import BuyersOnlyReview
from api.reviews.judging.traces import From
from api.reviews.schemas import (
    EarlierVersions,
    Erased,
    OwnReviewList,
    ReviewBody,
    ReviewIn,
    ReviewList,
    ReviewPatch,
    Sort,
    Summary,
)
from api.reviews.writing import commands as writing

router = APIRouter(tags=["reviews"])
ReviewId = Annotated[UUID, Depends(id_in_path("reviewId", ReviewNotFound))]
IfMatch = Annotated[str | None, Header(max_length=200, description="ETag of the version this change is based on")]
Rating = Annotated[int | None, Query(ge=1, le=5, description="Only reviews of so many stars")]
Verified = Annotated[bool, Query(description="Only of buyers to whom it was delivered")]
WithImages = Annotated[bool, Query(alias="withImages", description="Only reviews with pictures")]


@router.get(
    "/products/{productId}/reviews",
    operation_id="listReviews",
    summary="Reviews of a product, with its average and histogram",
    responses=responses(ProductNotFound, ValidationFailed),
)
async def list_reviews(
    *,
    ctx: Ctx,
    actor: AccountActor,
    product_id: ProductId,
    sort: Annotated[Sort, Query()] = "helpful",
    rating: Rating = None,
    verified: Verified = False,
    with_images: WithImages = False,
    page: PageNumber = 1,
    limit: PageLimit = 10,
    cursor: Cursor = None,
) -> ReviewList:
    """`helpful` by the lower bound of the share of those who found it helpful; the others are newest first within
    equal ones: `recent`, `rating` the best first, `verified` purchases first."""
    filters = queries.Filters(rating, verified, with_images)
    asked = PageParams(page, limit, cursor)
    async with ctx.db.read() as tx:
        return await queries.reviews_of(tx, actor, ctx.keys, product_id, sort=sort, filters=filters, page=asked)


@router.get(
    "/products/{productId}/reviews/summary",
    operation_id="getReviewSummary",
    summary="Average and histogram of a product's reviews",
    responses=responses(ProductNotFound),
)
async def get_review_summary(ctx: Ctx, actor: AccountActor, product_id: ProductId) -> Summary:
    """Of published reviews, at most a second old."""
    async with ctx.db.read() as tx:
        return await queries.summary_of(tx, actor, product_id)


@router.post(
    "/products/{productId}/reviews",
    status_code=201,
    operation_id="createReview",
    summary="Review a product",
    responses=responses(
        ProductNotFound,
        NotAuthenticated,
        AlreadyReviewed,
        OwnProductReview,
        BuyersOnlyReview,
        ValidationFailed,
        TooManyRequests,
        StoreSilent,
    ),
)
@takes_up_to("media_body_bytes")
async def create_review(
    *, ctx: Ctx, actor: SignedIn, product_id: ProductId, body: ReviewIn, response: Response, trace: From
) -> ReviewBody:
    """Once for each member and product. `verifiedPurchase` when it was delivered in an order of one's own. `status`
    says whether it is shown at once."""
    review_id = await writing.submit(ctx, actor, product_id, body, trace)
    response.headers["Location"] = f"/api/v1/reviews/{review_id}"
    return await _shown(ctx, actor, review_id, response)


@router.get(
    "/reviews/{reviewId}",
    operation_id="getReview",
    summary="One review",
    responses=responses(ReviewNotFound),
)
async def get_review(ctx: Ctx, actor: AccountActor, review_id: ReviewId, response: Response) -> ReviewBody:
    """One's own also before it is published. The entity tag is what a change of it is based on."""
    return await _shown(ctx, actor, review_id, response)


@router.patch(
    "/reviews/{reviewId}",
    operation_id="changeReview",
    summary="Change your own review",
    responses=responses(ReviewNotFound, NotAuthenticated, ReviewChanged, ValidationFailed, StoreSilent),
)
@takes_up_to("media_body_bytes")
async def change_review(
    *,
    ctx: Ctx,
    actor: SignedIn,
    review_id: ReviewId,
    body: ReviewPatch,
    response: Response,
    trace: From,
    if_match: IfMatch = None,
) -> ReviewBody:
    """It says when it was edited, and keeps its votes; what it said before is kept for its author."""
    await writing.edit(ctx, actor, review_id, body, etags.expected_version(if_match), trace=trace)
    return await _shown(ctx, actor, review_id, response)


@router.delete(
    "/reviews/{reviewId}",
    status_code=204,
    operation_id="deleteReview",
    summary="Delete your own review",
    responses=responses(ReviewNotFound, NotAuthenticated),
)
async def delete_review(ctx: Ctx, actor: SignedIn, review_id: ReviewId) -> Response:
    """With its votes, its answer and what it said before. The product can be reviewed again."""
    await commands.remove(ctx, actor, review_id)
    return Response(status_code=204)


@router.get(
    "/reviews/{reviewId}/versions",
    operation_id="listReviewVersions",
    summary="What your own review said before",
    responses=responses(ReviewNotFound, NotAuthenticated),
)
async def list_review_versions(ctx: Ctx, actor: SignedIn, review_id: ReviewId) -> EarlierVersions:
    """The latest first. Administrators see those of all."""
    async with ctx.db.read() as tx:
        return await queries.versions_of(tx, actor, review_id)


@router.get(
    "/users/me/reviews",
    operation_id="listOwnReviews",
    summary="Everything that you have written about products",
    responses=responses(NotAuthenticated, ValidationFailed),
)
async def list_own_reviews(ctx: Ctx, actor: SignedIn, page: Page) -> OwnReviewList:
    """The newest first, with those that are not published."""
    async with ctx.db.read() as tx:
        return await queries.own_reviews(tx, actor, ctx.keys, page)


@router.delete(
    "/users/me/reviews",
    operation_id="eraseOwnReviews",
    summary="Erase all your reviews, votes and reports",
    responses=responses(NotAuthenticated),
)
async def erase_own_reviews(ctx: Ctx, actor: SignedIn) -> Erased:
    """For good: also what they said before, and their pictures."""
    return await commands.erase(ctx, actor)


async def _shown(ctx: Context, actor: Actor, review_id: UUID, response: Response) -> ReviewBody:
    async with ctx.db.read() as tx:
        body = await queries.review_of(tx, actor, review_id)
    response.headers["ETag"] = etags.etag_of(body.version, body.model_dump_json(by_alias=True).encode())
    return body
