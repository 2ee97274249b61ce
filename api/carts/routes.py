"""HTTP of the cart."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.carts import commands, coupons, queries
from api.carts.changes import Stream, Streams
from api.carts.errors import CartChanged, CartFull, CartItemNotFound, QuantityTooLarge, TooManyStreams
from api.carts.schemas import AddCoupon, AddItem, CartBody, SetQuantity
from api.catalog.errors import VariantNotFound
from api.catalog.purchase import Occasion
from api.catalog.queries.offers import NO_KITS, Kit, kits_of
from api.delivery.errors import AddressNotValid
from api.delivery.places import Place
from api.delivery.promises import Speed
from api.delivery.schemas import WhereAndHow
from api.inventory.warehouses.kept import origins_of
from api.kernel import clock, etags
from api.kernel.actor import Actor
from api.kernel.auth import CurrentActor
from api.kernel.context import Context, Ctx
from api.kernel.direct import DirectRoute, WrittenResponse
from api.kernel.errors import MalformedRequest, NotAuthenticated, ValidationFailed
from api.kernel.ids import parse_id
from api.kernel.problems import responses
from api.kernel.readers import Named, header_in_document, reader_in
from api.promotions.codes import split
from api.promotions.deals import NO_CODES, Codes
from api.promotions.errors import CodeNotUsable, NoSuchCoupon, TooManyCodes
from api.promotions.queries import codes_of

router = APIRouter(prefix="/cart", tags=["cart"], route_class=DirectRoute)

IfMatch = Annotated[str | None, Header(max_length=200, description="ETag of the cart this change is based on")]
ItemId = Annotated[str, Path(alias="itemId", max_length=100)]
_BODY = (MalformedRequest, NotAuthenticated, ValidationFailed)


class AskedCart(WhereAndHow):
    """Where a cart would go and how, and in which language it is shown."""

    language: Named = None


@router.get(
    "",
    operation_id="getCart",
    summary="The caller's cart at today's prices",
    response_model=CartBody,
    responses={304: {"description": "Not modified"}, **responses(AddressNotValid, *_BODY)},
    openapi_extra=header_in_document(),
)
async def get_cart(
    *,
    ctx: Ctx,
    request: Request,
    actor: CurrentActor,
    where: Annotated[AskedCart, Query()],
    if_none_match: Annotated[str | None, Header(max_length=2000)] = None,
) -> Response:
    """The caller's cart at today's prices; lines that cannot be bought, or whose price changed, are flagged.

    A changed price is flagged in every answer until this one has shown it, and again when units are added. `country`,
    `state` and `zipCode` say where it goes, `deliverySpeed` how: an order to there costs the same total.
    """
    place = where.place(ctx.settings.market)
    async with ctx.db.read() as tx:
        cart = await queries.cart_of(tx, actor)
    response = await _answer(
        ctx, request, actor, cart, place=place, speed=where.delivery_speed, language=where.language
    )
    if cart is not None:
        await commands.see_prices(ctx, actor, cart)
    if etags.matches(if_none_match, response.headers["ETag"]):
        headers = {name: response.headers[name] for name in ("ETag", "Cache-Control")}
        return Response(status_code=304, headers=headers)
    return response


class _CartStream(StreamingResponse):
    """A stream that counts as open while it is sent."""

    def __init__(self, streams: Streams, stream: Stream) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(streams.events(stream), headers=headers, media_type="text/event-stream")
        self._streams, self._stream = streams, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.joined(self._stream):
            await super().__call__(scope, receive, send)


@router.get(
    "/events",
    operation_id="streamCart",
    summary="The changes of the caller's cart, as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **responses(TooManyStreams, *_BODY),
    },
)
async def stream_cart(
    request: Request,
    actor: CurrentActor,
    last_event_id: Annotated[str | None, Header(max_length=100, description="The last event that was seen")] = None,
) -> Response:
    """An event `cart` with `cartId`, `version` and `itemCount` for each change, from whatever device; read the cart
    when its version is another than yours.

    Open the stream first and read the cart then, so that no change is missed in between. With `Last-Event-ID`, which an
    EventSource sends when it connects again, what was missed is said at once. A comment every 15 seconds keeps the
    connection open; after 5 minutes the stream ends, and a client connects again.
    """
    if actor.new_session:
        raise NotAuthenticated(
            "Sign in, or send the session that this answer gives you, as every answer for guests does."
        )
    return _CartStream(request.app.state.cart_streams, Stream(actor, last_event_id))


@router.post(
    "/items",
    status_code=201,
    operation_id="addCartItem",
    summary="Put something into the cart",
    response_model=CartBody,
    responses=responses(VariantNotFound, CartFull, QuantityTooLarge, *_BODY),
    openapi_extra=header_in_document(),
)
async def add_cart_item(ctx: Ctx, request: Request, actor: CurrentActor, body: AddItem) -> Response:
    """Add a variant. A guest without a session of ours gets one, as a cookie and in `X-Session-Id`."""
    item_id, cart = await commands.add_item(ctx, actor, body)
    return await _answer(ctx, request, actor, cart, status=201, location=f"/api/v1/cart/items/{item_id}")


@router.put(
    "/items/{itemId}",
    operation_id="setCartItem",
    summary="Change how many of a line",
    response_model=CartBody,
    responses=responses(CartItemNotFound, CartChanged, *_BODY),
    openapi_extra=header_in_document(),
)
async def set_cart_item(
    *,
    ctx: Ctx,
    request: Request,
    actor: CurrentActor,
    item_id: ItemId,
    body: SetQuantity,
    if_match: IfMatch = None,
) -> Response:
    """Set the quantity of a line."""
    expected = etags.expected_version(if_match)
    cart = await commands.set_quantity(ctx, actor, _known(item_id), body.quantity, expected)
    return await _answer(ctx, request, actor, cart)


@router.delete(
    "/items/{itemId}",
    operation_id="removeCartItem",
    summary="Take a line out of the cart",
    response_model=CartBody,
    responses=responses(CartItemNotFound, CartChanged, *_BODY),
    openapi_extra=header_in_document(),
)
async def remove_cart_item(
    ctx: Ctx, request: Request, actor: CurrentActor, item_id: ItemId, if_match: IfMatch = None
) -> Response:
    """Remove a line; returns the remaining cart."""
    cart = await commands.remove_item(ctx, actor, _known(item_id), etags.expected_version(if_match))
    return await _answer(ctx, request, actor, cart)


@router.post(
    "/coupons",
    operation_id="addCartCoupon",
    summary="Use a code",
    response_model=CartBody,
    responses=responses(CodeNotUsable, TooManyCodes, *_BODY),
    openapi_extra=header_in_document(),
)
async def add_cart_coupon(ctx: Ctx, request: Request, actor: CurrentActor, body: AddCoupon) -> Response:
    """Put a code into the cart. Small and capital letters are the same; a code that is there already stays as it is.

    What it takes off, or why nothing, is in the cart's `coupons`. A code that does not exist, is not valid now or is
    used up is refused. An order of the cart uses its codes.
    """
    return await _answer(ctx, request, actor, await coupons.add_coupon(ctx, actor, body.code))


@router.delete(
    "/coupons/{code}",
    operation_id="removeCartCoupon",
    summary="Use a code no more",
    response_model=CartBody,
    responses=responses(NoSuchCoupon, *_BODY),
    openapi_extra=header_in_document(),
)
async def remove_cart_coupon(
    ctx: Ctx, request: Request, actor: CurrentActor, code: Annotated[str, Path(max_length=100)]
) -> Response:
    return await _answer(ctx, request, actor, await coupons.remove_coupon(ctx, actor, code))


def _known(item_id: str) -> UUID:
    known = parse_id(item_id)
    if known is None:
        raise CartItemNotFound("Your cart has no such line.")
    return known


async def _codes(ctx: Context, actor: Actor, cart: queries.StoredCart | None) -> Codes:
    """What the cart's codes stand for; a cart without codes asks nothing."""
    if cart is None or cart.coupons is None:
        return NO_CODES
    async with ctx.db.read() as tx:
        return await codes_of(tx, actor, None, split(cart.coupons), [line.product_id for line in cart.lines])


async def _kits(ctx: Context, cart: queries.StoredCart | None) -> Mapping[UUID, Kit]:
    """What the kits in the cart are made of; a cart without kits asks nothing."""
    kits = [line.variant_id for line in cart.lines if line.offer.kind == "kit"] if cart else []
    if not kits:
        return NO_KITS
    async with ctx.db.read() as tx:
        return await kits_of(tx, kits)


async def _answer(
    ctx: Context,
    request: Request,
    actor: Actor,
    cart: queries.StoredCart | None,
    *,
    language: str | None = None,
    place: Place | None = None,
    speed: Speed = "standard",
    status: int = 200,
    location: str | None = None,
) -> Response:
    """The cart as every route of it answers, in the language that is asked for; None for an actor who has none."""
    reader = reader_in(ctx, request, language)
    occasion = Occasion.of(ctx.settings, clock.now(), place=place, member=actor.member)
    codes, kits = await _codes(ctx, actor, cart), await _kits(ctx, cart)
    # Kits were read last, so the warehouses that they name are known in that edition.
    edition = next((kit.edition for kit in kits.values() if kit.edition), cart.edition if cart else None)
    origins = await origins_of(ctx.db, edition) if cart and cart.lines else {}
    content = queries.cart_body(
        cart, ctx.settings.currency, occasion, origins, speed, reader=reader, codes=codes, kits=kits
    )
    headers = {
        b"etag": etags.etag_of(cart.version if cart else 0, content),
        b"cache-control": "private, no-cache",
        b"content-language": reader.language,
        b"vary": "Accept-Language",
    }
    if location is not None:
        headers[b"location"] = location
    return WrittenResponse(content, status, headers)
