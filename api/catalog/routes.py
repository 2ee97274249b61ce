"""HTTP of the catalog."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.catalog import artwork, commands, pages
from api.catalog.artwork.sizes import drawn_size
from api.catalog.errors import CategoryNotFound, DuplicateProduct, GtinTaken, ProductChanged, ProductNotFound, SkuTaken
from api.catalog.lists import ListParams, lists_of
from api.catalog.purchase import Occasion
from api.catalog.queries import categories, products
from api.catalog.schemas import (
    CategoryTree,
    ProductDetail,
    ProductIn,
    ProductList,
    ProductPatch,
    VariantList,
)
from api.delivery.errors import AddressNotValid
from api.delivery.places import Place
from api.delivery.promises import period
from api.delivery.schemas import Where
from api.inventory.errors import BelowZero, StockChanged, UnitsOwed
from api.kernel import clock, etags
from api.kernel.actor import ANONYMOUS, Actor
from api.kernel.auth import AccountActor, SellerActor
from api.kernel.body_limits import takes_up_to
from api.kernel.context import Context, Ctx
from api.kernel.direct import DirectRoute
from api.kernel.errors import Forbidden, MalformedRequest, NotAuthenticated, ValidationFailed
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.kernel.readers import InLanguage, Named, header_in_document, reader_in
from api.kernel.ready import Ready, targets_of
from api.kernel.schemas import Wire
from api.media.errors import PictureNotFound, StoreSilent
from api.media.naming import is_file
from api.media.routes import SERVED, Segment, served
from api.sellers.errors import SellerNotFound

router = APIRouter(tags=["catalog"], route_class=DirectRoute)

_SELLING = (
    NotAuthenticated,
    Forbidden,
    MalformedRequest,
    ValidationFailed,
    CategoryNotFound,
    SkuTaken,
    GtinTaken,
    StoreSilent,
    DuplicateProduct,
)
IfNoneMatch = Annotated[str | None, Header(max_length=2_000)]
IfMatch = Annotated[str | None, Header(max_length=200, description="ETag of the version this change is based on")]


ProductId = Annotated[
    UUID, Depends(id_in_path("productId", lambda: ProductNotFound("There is no product with this id.")))
]


class AskedProduct(Where):
    """Where a product would go, and in which language it is shown."""

    language: Named = None


@router.get(
    "/categories",
    operation_id="listCategories",
    summary="All departments as a tree",
    response_model=CategoryTree,
    responses={304: {"description": "Not modified"}, **responses(ValidationFailed)},
    openapi_extra=header_in_document(),
)
async def list_categories(ctx: Ctx, ready: Ready, request: Request, asked: Annotated[InLanguage, Query()]) -> Response:
    """All departments as a tree; a change of it is there within a second."""
    reader = reader_in(ctx, request, asked.language)

    async def build(*, may_lag: bool) -> tuple[bytes, str]:
        async with ctx.db.read(may_lag=may_lag) as tx:
            rows = await categories.all_categories(tx)
        return _rendered(CategoryTree(categories=categories.tree_of(rows, reader)))

    key, heard = pages.categories_page(reader.language), asked.language is None
    return await ready.serve(request, key, build, checks_caller=False, heard=heard)


@router.get(
    "/products",
    operation_id="listProducts",
    summary="Browse, filter and sort products",
    response_model=ProductList,
    responses={304: {"description": "Not modified"}, **responses(ValidationFailed, CategoryNotFound, SellerNotFound)},
    openapi_extra=header_in_document(),
)
async def list_products(ctx: Ctx, request: Request, asked: Annotated[ListParams, Query()]) -> Response:
    """List products.

    Popularity is units sold in the last 90 days with orders, then views; relevance without a query is the same.
    `Age` says how many seconds ago the page was made: a change of a product is in it within a second, one of the order
    by popularity within twenty minutes. `total` and `filters` are counted in the search index, which has a change
    within a second too.
    """
    lists, ready = await lists_of(request), await targets_of(request)
    reader = reader_in(ctx, request, asked.language)
    query, key = await lists.resolve(asked, reader)

    async def build(*, may_lag: bool) -> tuple[bytes, str]:
        return await lists.page(query, asked.position, reader, may_lag=may_lag)

    heard = asked.language is None
    return await ready.serve(request, key, build, checks_caller=False, keep=asked.kept, heard=heard)


@router.get(
    "/products/{productId}",
    operation_id="getProduct",
    summary="One product with variants, seller and delivery promise",
    response_model=ProductDetail,
    responses={304: {"description": "Not modified"}, **responses(ProductNotFound, ValidationFailed, AddressNotValid)},
    openapi_extra=header_in_document(),
)
async def get_product(
    *,
    ctx: Ctx,
    actor: AccountActor,
    product_id: ProductId,
    request: Request,
    where: Annotated[AskedProduct, Query()],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One product with variants, seller and delivery promise.

    `country`, `state` and `zipCode` say where it would go; without them it is the shop's own market. `Age` says how
    many seconds ago the page was made; a change is in it within a second. A checkout never uses it. Sellers and
    administrators read it in its own language unless `language` names another, so that what they send back is that.
    """
    place, languages = where.place(ctx.settings.market), ctx.settings.languages
    if not _changes_nothing(actor):
        language = None if where.language is None else languages.named(where.language)
        return await _detail(ctx, actor, product_id, place=place, if_none_match=if_none_match, language=language)
    language = languages.asked(request.scope, where.language)
    now = clock.now()
    occasion = Occasion.of(ctx.settings, now, place=place, member=actor.member)

    async def build(*, may_lag: bool) -> tuple[bytes, str]:
        body, etag, _ = await _built(ctx, ANONYMOUS, product_id, occasion, language, may_lag=may_lag)
        return body, etag

    key = pages.product_page(product_id, period(now), language, member=actor.member)
    return await (await targets_of(request)).serve(
        request,
        key,
        build,
        checks_caller=True,
        keep=where.is_home,
        everybodys=not actor.member,
        heard=where.language is None,
    )


@router.get(
    "/products/{productId}/variants",
    operation_id="listVariants",
    summary="A product's variants with what can be sold of each",
    response_model=VariantList,
    responses={304: {"description": "Not modified"}, **responses(ProductNotFound)},
)
async def list_variants(ctx: Ctx, actor: AccountActor, product_id: ProductId, request: Request) -> Response:
    """The variants with the sellable units of each, kept as long as the product's page."""

    kept = _changes_nothing(actor)

    async def build(*, may_lag: bool) -> tuple[bytes, str]:
        async with ctx.db.read(may_lag=may_lag and kept) as tx:
            currency, variants = await products.variants_on_sale(tx, actor, product_id)
        return _rendered(VariantList(product_id=product_id, currency=currency, variants=variants))

    key = pages.variants_page(product_id)
    ready = await targets_of(request)
    return await ready.serve(request, key, build, checks_caller=True, keep=kept)


@router.get(
    "/products/{productId}/image.svg",
    operation_id="getGeneratedImage",
    summary="The drawn picture of a product without a photograph",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}}, **responses(ProductNotFound)},
)
async def get_generated_image(ctx: Ctx, actor: AccountActor, product_id: ProductId) -> Response:
    """What its title names, in a colour and a setting of its own."""
    async with ctx.db.read(may_lag=_changes_nothing(actor)) as tx:
        subject = await products.picture_of(tx, actor, product_id)
    # The picture runs no script and loads nothing, also when it is opened as a page.
    headers = {
        "Cache-Control": "public, max-age=86400" if actor.user_id is None else "private, max-age=86400",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(subject.draw(), media_type="image/svg+xml", headers=headers)


@router.get(
    "/products/{productId}/drawn/{digest}/{file}",
    operation_id="getDrawnPicture",
    summary="One size of a drawn picture, for ever the same",
    response_class=Response,
    responses={**SERVED, 302: {"description": "The picture is another by now"}, **responses(ProductNotFound)},
)
async def get_drawn_picture(
    *,
    ctx: Ctx,
    actor: AccountActor,
    product_id: ProductId,
    digest: Segment,
    file: Segment,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """`file` is `160.webp`, `480.webp` or `1200.webp`; made when it is first asked for. With the digest of an earlier
    title or category it leads to the picture of now."""
    if not is_file(file):
        raise PictureNotFound("There is no picture at this address.")
    async with ctx.db.read(may_lag=_changes_nothing(actor)) as tx:
        subject = await products.picture_of(tx, actor, product_id)
    size = int(file.removesuffix(".webp"))
    if digest != subject.digest:
        return RedirectResponse(artwork.drawn_path(product_id, subject, size), 302, {"Cache-Control": "no-cache"})
    return served(await drawn_size(ctx, subject, size), f'"{digest}-{size}"', if_none_match)


@router.post(
    "/products",
    status_code=201,
    operation_id="createProduct",
    summary="Offer a product",
    response_model=ProductDetail,
    responses=responses(*_SELLING),
)
@takes_up_to("media_body_bytes")
async def create_product(ctx: Ctx, actor: SellerActor, body: ProductIn) -> Response:
    """Offer a product (sellers); `variants[].stock` sets the units that can be sold. A seller has one of a title,
    brand, options and condition; the same of another seller is another offer of it."""
    product_id = await commands.create_product(ctx, actor, body)
    response = await _detail(ctx, actor, product_id, status=201)
    response.headers["Location"] = f"/api/v1/products/{product_id}"
    return response


@router.put(
    "/products/{productId}",
    operation_id="replaceProduct",
    summary="Replace one's own product",
    response_model=ProductDetail,
    responses=responses(*_SELLING, ProductNotFound, ProductChanged, StockChanged, UnitsOwed, BelowZero),
)
@takes_up_to("media_body_bytes")
async def replace_product(
    ctx: Ctx, actor: SellerActor, product_id: ProductId, body: ProductIn, if_match: IfMatch = None
) -> Response:
    """Replace one's own product; fields that are not sent get their defaults, and variants that are not named are
    removed. Variants keep their ids, and their stock unless it is sent.

    With `If-Match` it is refused when the product was saved since it was read, and when it sets `stock` also when units
    were sold or booked; `stockChange` is taken whatever was sold meanwhile.
    """
    await commands.replace_product(ctx, actor, product_id, body, etags.expected(if_match))
    return await _detail(ctx, actor, product_id)


@router.patch(
    "/products/{productId}",
    operation_id="changeProduct",
    summary="Change fields of one's own product",
    response_model=ProductDetail,
    responses=responses(*_SELLING, ProductNotFound, ProductChanged, StockChanged, UnitsOwed, BelowZero),
)
@takes_up_to("media_body_bytes")
async def change_product(
    ctx: Ctx, actor: SellerActor, product_id: ProductId, body: ProductPatch, if_match: IfMatch = None
) -> Response:
    """Change fields of one's own product, and of those of its variants that are named. `If-Match`: as with PUT."""
    await commands.change_product(ctx, actor, product_id, body, etags.expected(if_match))
    return await _detail(ctx, actor, product_id)


@router.delete(
    "/products/{productId}",
    status_code=204,
    operation_id="deleteProduct",
    summary="Withdraw one's own product for good",
    responses=responses(NotAuthenticated, Forbidden, ProductNotFound, ProductChanged),
)
async def delete_product(ctx: Ctx, actor: SellerActor, product_id: ProductId, if_match: IfMatch = None) -> Response:
    """Withdraw one's own product for good."""
    await commands.delete_product(ctx, actor, product_id, etags.expected(if_match))
    return Response(status_code=204)


def _changes_nothing(actor: Actor) -> bool:
    """Whether kept pages are for the actor: sellers and administrators see what they just changed, and sellers also
    their own products that are not on sale."""
    return actor.kind in {"anonymous", "customer"}


async def _detail(
    ctx: Context,
    actor: Actor,
    product_id: UUID,
    *,
    place: Place | None = None,
    status: int = 200,
    if_none_match: str | None = None,
    language: str | None = None,
) -> Response:
    """The product as whoever may change it sees it: read for this request, and kept nowhere. Without `language` it is
    in its own."""
    occasion = Occasion.of(ctx.settings, clock.now(), place=place, member=actor.member)
    body, etag, shown = await _built(ctx, actor, product_id, occasion, language, may_lag=False)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Content-Language": shown}
    if etags.matches(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, "application/json")


async def _built(
    ctx: Context, actor: Actor, product_id: UUID, occasion: Occasion, language: str | None, *, may_lag: bool
) -> tuple[bytes, str, str]:
    """The body of a product, its entity tag, and its language."""
    async with ctx.db.read(may_lag=may_lag) as tx:
        version, detail = await products.product_of(
            tx,
            actor,
            product_id,
            occasion,
            languages=ctx.settings.languages,
            language=language,
            edited=not _changes_nothing(actor),
        )
    stock = etags.stock_mark((variant.variant_id, variant.stock) for variant in detail.variants)
    return *_rendered(detail, version, stock), detail.language


def _rendered(body: Wire, version: int = 0, stock: str | None = None) -> tuple[bytes, str]:
    """The bytes of a body and their entity tag."""
    rendered = body.model_dump_json(by_alias=True).encode()
    return rendered, etags.etag_of(version, rendered, stock)
