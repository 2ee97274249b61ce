"""HTTP of promotions, for sellers and administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.kernel.auth import SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.pagination import PageLimit, PageNumber, PageParams
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.promotions import commands, queries
from api.promotions.errors import CodeTaken, LimitTooLow, PromotionNotFound, PromotionNotValid, TooManyCodes
from api.promotions.schemas import PromotionBody, PromotionIn, PromotionList, PromotionPatch

router = APIRouter(prefix="/sellers/me/promotions", tags=["promotions"])
_WHO = (NotAuthenticated, Forbidden, ValidationFailed)


PromotionId = Annotated[UUID, Depends(id_in_path("promotionId", PromotionNotFound))]


@router.post(
    "",
    status_code=201,
    response_model=PromotionBody,
    operation_id="createPromotion",
    summary="Offer a promotion, with the codes that stand for it",
    responses=responses(
        PromotionNotValid, CodeTaken, *_WHO, IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight
    ),
)
async def create_promotion(ctx: Ctx, actor: SignedIn, key: RequiredKey, body: PromotionIn) -> Response:
    """A seller's promotion is for the seller's own goods, and the seller pays it; an administrator's is the shop's."""
    return await commands.create_promotion(ctx, actor, key, body)


@router.get("", operation_id="listPromotions", summary="Your promotions, newest first", responses=responses(*_WHO))
async def list_promotions(ctx: Ctx, actor: SignedIn, page: PageNumber = 1, limit: PageLimit = 20) -> PromotionList:
    async with ctx.db.read() as tx:
        return await queries.promotions_of(tx, actor, PageParams(page, limit, None))


@router.get(
    "/{promotionId}",
    operation_id="getPromotion",
    summary="One promotion, and how often it was redeemed",
    responses=responses(PromotionNotFound, NotAuthenticated, Forbidden),
)
async def get_promotion(ctx: Ctx, actor: SignedIn, promotion_id: PromotionId) -> PromotionBody:
    async with ctx.db.read() as tx:
        return await queries.promotion_of(tx, actor, promotion_id)


@router.patch(
    "/{promotionId}",
    operation_id="changePromotion",
    summary="Change a promotion's name, limit or end, or add codes",
    responses=responses(PromotionNotFound, PromotionNotValid, LimitTooLow, CodeTaken, TooManyCodes, *_WHO),
)
async def change_promotion(ctx: Ctx, actor: SignedIn, promotion_id: PromotionId, body: PromotionPatch) -> PromotionBody:
    return await commands.change_promotion(ctx, actor, promotion_id, body)


@router.post(
    "/{promotionId}/end",
    operation_id="endPromotion",
    summary="End a promotion now",
    responses=responses(PromotionNotFound, NotAuthenticated, Forbidden),
)
async def end_promotion(ctx: Ctx, actor: SignedIn, promotion_id: PromotionId) -> PromotionBody:
    return await commands.end_promotion(ctx, actor, promotion_id)
