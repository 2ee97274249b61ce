"""HTTP of votes, answers and reports."""

from fastapi import APIRouter, Response

from api.kernel.auth import SellerActor, SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.problems import responses
from api.reviews import queries
from api.reviews.answers import commands as answers
from api.reviews.errors import NotYourProduct, OwnProductReview, OwnReview, ReviewNotFound
from api.reviews.judging.traces import From
from api.reviews.reports import commands as reports
from api.reviews.routes import ReviewId
from api.reviews.schemas import AnswerIn, ReportIn, ReviewBody, Votes
from api.reviews.votes.commands import vote

router = APIRouter(prefix="/reviews/{reviewId}", tags=["reviews"])
_VOTING = responses(ReviewNotFound, NotAuthenticated, OwnReview, OwnProductReview)
_ANSWERING = (ReviewNotFound, NotAuthenticated, NotYourProduct, Forbidden)


@router.post(
    "/helpful", operation_id="voteHelpful", summary="Say that somebody else's review is helpful", responses=_VOTING
)
async def vote_helpful(ctx: Ctx, actor: SignedIn, review_id: ReviewId, trace: From) -> Votes:
    """One vote of each shopper: again changes nothing, and it replaces the opposite."""
    return await vote(ctx, actor, review_id, helpful=True, trace=trace)


@router.post(
    "/not-helpful",
    operation_id="voteNotHelpful",
    summary="Say that somebody else's review is not helpful",
    responses=_VOTING,
)
async def vote_not_helpful(ctx: Ctx, actor: SignedIn, review_id: ReviewId, trace: From) -> Votes:
    """As `voteHelpful`."""
    return await vote(ctx, actor, review_id, helpful=False, trace=trace)


@router.delete("/vote", operation_id="withdrawVote", summary="Take back your vote", responses=_VOTING)
async def withdraw_vote(ctx: Ctx, actor: SignedIn, review_id: ReviewId) -> Votes:
    """Again changes nothing."""
    return await vote(ctx, actor, review_id, helpful=None)


@router.post(
    "/answer",
    status_code=201,
    operation_id="answerReview",
    summary="Answer a review of your own product",
    responses=responses(*_ANSWERING, ValidationFailed),
)
async def answer_review(
    ctx: Ctx, actor: SellerActor, review_id: ReviewId, body: AnswerIn, response: Response
) -> ReviewBody:
    """There is one answer: another text replaces it, with status 200."""
    response.status_code = 201 if await answers.answer(ctx, actor, review_id, body.text) else 200
    async with ctx.db.read() as tx:
        return await queries.review_of(tx, actor, review_id)


@router.delete(
    "/answer",
    status_code=204,
    operation_id="withdrawAnswer",
    summary="Take back your answer to a review",
    responses=responses(*_ANSWERING),
)
async def withdraw_answer(ctx: Ctx, actor: SellerActor, review_id: ReviewId) -> Response:
    """Again changes nothing."""
    await answers.withdraw(ctx, actor, review_id)
    return Response(status_code=204)


@router.post(
    "/report",
    status_code=204,
    operation_id="reportReview",
    summary="Report a review",
    responses=responses(ReviewNotFound, NotAuthenticated, OwnReview, ValidationFailed),
)
async def report_review(ctx: Ctx, actor: SignedIn, review_id: ReviewId, body: ReportIn) -> Response:
    """Administrators read it; a second report of yours replaces the first."""
    await reports.report(ctx, actor, review_id, body)
    return Response(status_code=204)
