"""HTTP of the mails that ask for reviews."""

from fastapi import APIRouter, Response

from api.kernel.context import Ctx
from api.kernel.errors import ValidationFailed
from api.kernel.problems import responses
from api.reviews.errors import ReviewNotFound
from api.reviews.requests.commands import unsubscribe
from api.reviews.schemas import Unsubscribe

router = APIRouter(prefix="/reviews/requests", tags=["reviews"])


@router.post(
    "/unsubscribe",
    status_code=204,
    operation_id="unsubscribeReviewRequests",
    summary="Get no more mails that ask for reviews",
    responses=responses(ReviewNotFound, ValidationFailed),
)
async def unsubscribe_review_requests(ctx: Ctx, body: Unsubscribe) -> Response:
    """With the code of such a mail, without signing in; again changes nothing."""
    await unsubscribe(ctx, body.token)
    return Response(status_code=204)
