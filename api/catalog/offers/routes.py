"""HTTP of the offers of an article."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.catalog.errors import ProductNotFound
from api.catalog.offers.pages import page_of
from api.catalog.offers.queries import offers_of
from api.catalog.offers.schemas import OfferList, OfferParams
from api.catalog.purchase import Occasion
from api.catalog.routes import ProductId
from api.delivery.errors import AddressNotValid
from api.kernel import clock
from api.kernel.auth import AccountActor
from api.kernel.context import Ctx
from api.kernel.errors import ValidationFailed
from api.kernel.problems import responses

router = APIRouter(tags=["offers"])


@router.get(
    "/products/{productId}/offers",
    operation_id="listOffers",
    summary="Who else sells it: every offer of an article, and the featured one",
    responses=responses(ProductNotFound, ValidationFailed, AddressNotValid),
)
async def list_offers(
    ctx: Ctx, actor: AccountActor, product_id: ProductId, asked: Annotated[OfferParams, Query()]
) -> OfferList:
    """Every living offer of the article that the product is, with what one unit costs in all where it would go, and why
    it is featured or not. `country`, `state` and `zipCode` as for the product's page; `sort=total` is the cheapest
    first. A seller's own offers say so."""
    occasion = Occasion.of(ctx.settings, clock.now(), place=asked.place(ctx.settings.market), member=actor.member)
    async with ctx.db.read() as tx:
        offers = await offers_of(tx, actor, product_id, occasion)
    return page_of(ctx.keys, product_id, offers, asked.sort, asked.position)
