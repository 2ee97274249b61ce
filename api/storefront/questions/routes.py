"""HTTP of questions and answers."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.catalog.errors import ProductNotFound
from api.catalog.queries.products import require_visible
from api.catalog.routes import ProductId
from api.kernel.actor import Actor
from api.kernel.auth import AccountActor, AdminActor, SignedIn
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, TooManyRequests, ValidationFailed
from api.kernel.pagination import PageLimit, PageNumber, PageParams
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.storefront.questions import commands, queries
from api.storefront.questions.errors import OwnPost, PostNotFound, QuestionNotFound
from api.storefront.questions.schemas import (
    AnswerIn,
    AnswerList,
    Question,
    QuestionIn,
    QuestionList,
    ReportIn,
    ReportList,
)

router = APIRouter(tags=["questions"])
QuestionId = Annotated[UUID, Depends(id_in_path("questionId", QuestionNotFound))]
PostId = Annotated[UUID, Depends(id_in_path("postId", PostNotFound))]
_WRITING = (NotAuthenticated, ValidationFailed, TooManyRequests)


@router.get(
    "/products/{productId}/questions",
    operation_id="listQuestions",
    summary="Questions about a product, with their first answers",
    responses=responses(ProductNotFound, ValidationFailed),
)
async def list_questions(
    *,
    ctx: Ctx,
    actor: AccountActor,
    product_id: ProductId,
    sort: Annotated[Literal["votes", "newest"], Query()] = "votes",
    page: PageNumber = 1,
    limit: PageLimit = 10,
) -> QuestionList:
    """Those that most found helpful first, or the newest."""
    async with ctx.db.read() as tx:
        await require_visible(tx, actor, product_id)
        asked = PageParams(page, limit, None)
        return await queries.questions_of(tx, actor, product_id, asked, newest=sort == "newest")


@router.post(
    "/products/{productId}/questions",
    status_code=201,
    operation_id="askQuestion",
    summary="Ask about a product",
    responses=responses(ProductNotFound, *_WRITING),
)
async def ask_question(ctx: Ctx, actor: SignedIn, product_id: ProductId, body: QuestionIn) -> Question:
    """Others see a first name and an initial."""
    return await _question(ctx, actor, await commands.ask(ctx, actor, product_id, body.text))


@router.get(
    "/questions/{questionId}/answers",
    operation_id="listAnswers",
    summary="All answers to a question",
    responses=responses(QuestionNotFound, ValidationFailed),
)
async def list_answers(
    ctx: Ctx, actor: AccountActor, question_id: QuestionId, page: PageNumber = 1, limit: PageLimit = 20
) -> AnswerList:
    """The seller's first, then by votes."""
    async with ctx.db.read() as tx:
        return await queries.answers_of(tx, actor, question_id, PageParams(page, limit, None))


@router.post(
    "/questions/{questionId}/answers",
    status_code=201,
    operation_id="answerQuestion",
    summary="Answer a question",
    responses=responses(QuestionNotFound, ProductNotFound, *_WRITING),
)
async def answer_question(ctx: Ctx, actor: SignedIn, question_id: QuestionId, body: AnswerIn) -> Question:
    """The answer is marked as the seller's or a buyer's when it is."""
    await commands.answer(ctx, actor, question_id, body.text)
    return await _question(ctx, actor, question_id)


@router.get(
    "/questions/reports",
    operation_id="listQuestionReports",
    summary="Questions and answers that members reported",
    responses=responses(NotAuthenticated, Forbidden),
)
async def list_reports(ctx: Ctx, actor: AdminActor, page: PageNumber = 1, limit: PageLimit = 20) -> ReportList:
    """For administrators, who may remove any post."""
    async with ctx.db.read() as tx:
        return await queries.reports(tx, actor, PageParams(page, limit, None))


@router.patch(
    "/questions/posts/{postId}",
    status_code=204,
    operation_id="editPost",
    summary="Change your own question or answer",
    responses=responses(PostNotFound, NotAuthenticated, ValidationFailed),
)
async def edit_post(ctx: Ctx, actor: SignedIn, post_id: PostId, body: QuestionIn) -> Response:
    """It says when it was edited."""
    await commands.edit(ctx, actor, post_id, body.text)
    return Response(status_code=204)


@router.delete(
    "/questions/posts/{postId}",
    status_code=204,
    operation_id="removePost",
    summary="Remove your own question or answer",
    responses=responses(PostNotFound, NotAuthenticated),
)
async def remove_post(ctx: Ctx, actor: SignedIn, post_id: PostId) -> Response:
    """A question goes with its answers."""
    await commands.remove(ctx, actor, post_id)
    return Response(status_code=204)


@router.put(
    "/questions/posts/{postId}/vote",
    status_code=204,
    operation_id="votePost",
    summary="Say that a question or an answer is helpful",
    responses=responses(PostNotFound, NotAuthenticated, OwnPost),
)
async def vote_post(ctx: Ctx, actor: SignedIn, post_id: PostId) -> Response:
    """Once; again changes nothing."""
    await commands.vote(ctx, actor, post_id, helpful=True)
    return Response(status_code=204)


@router.delete(
    "/questions/posts/{postId}/vote",
    status_code=204,
    operation_id="unvotePost",
    summary="Take back that it is helpful",
    responses=responses(PostNotFound, NotAuthenticated, OwnPost),
)
async def unvote_post(ctx: Ctx, actor: SignedIn, post_id: PostId) -> Response:
    """Again changes nothing."""
    await commands.vote(ctx, actor, post_id, helpful=False)
    return Response(status_code=204)


@router.put(
    "/questions/posts/{postId}/report",
    status_code=204,
    operation_id="reportPost",
    summary="Report a question or an answer",
    responses=responses(PostNotFound, OwnPost, *_WRITING),
)
async def report_post(ctx: Ctx, actor: SignedIn, post_id: PostId, body: ReportIn) -> Response:
    """Administrators read it; a second report replaces the first."""
    await commands.report(ctx, actor, post_id, body)
    return Response(status_code=204)


async def _question(ctx: Context, actor: Actor, question_id: UUID) -> Question:
    async with ctx.db.read() as tx:
        return await queries.question_of(tx, actor, question_id)
