"""HTTP of versions."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.catalog.errors import (
    CategoryNotFound,
    DuplicateProduct,
    GtinTaken,
    ProductChanged,
    ProductNotFound,
    SkuTaken,
)
from api.catalog.purchase import Occasion
from api.catalog.queries.products import product_of
from api.catalog.routes import IfMatch, ProductId
from api.catalog.versions import commands
from api.catalog.versions.differences import differences
from api.catalog.versions.errors import VersionNotFound
from api.catalog.versions.queries import Kept, Said, version_of, versions_of, whole
from api.catalog.versions.schemas import Author, PictureSaid, RestoredProduct, Version, VersionList, VersionRow
from api.inventory.errors import UnitsOwed
from api.kernel import clock, etags
from api.kernel.actor import Actor
from api.kernel.auth import SellerActor, SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Cursor, PageLimit, PageParams, page_of, place_of
from api.kernel.problems import responses

router = APIRouter(prefix="/products/{productId}/versions", tags=["catalog"])

MOST_VERSIONS = 2_147_483_647
VersionNumber = Annotated[int, Path(ge=1, le=MOST_VERSIONS, examples=[3])]
_READING = (NotAuthenticated, ProductNotFound, ValidationFailed)


@router.get(
    "", operation_id="listVersions", summary="The versions of one's own product", responses=responses(*_READING)
)
async def list_versions(
    *, ctx: Ctx, actor: SignedIn, product_id: ProductId, limit: PageLimit = 20, cursor: Cursor = None
) -> VersionList:
    """The newest first: what each changed, when, and whose change it was. For the product's seller, also after it was
    deleted, and for administrators."""
    listing = f"versions:{product_id}"
    page = PageParams(page=1, limit=limit, cursor=cursor)
    before = place_of(page, ctx.keys, listing, lambda values: int(values[0]))
    async with ctx.db.read() as tx:
        found = await versions_of(tx, actor, product_id, before or MOST_VERSIONS, limit + 1)
    shown, more = found[:limit], len(found) > limit
    rows = [VersionRow.model_validate(_row(one, actor)) for one in shown]
    following = page_of(page, ctx.keys, listing, shown, lambda one: [one.version], more=more)
    return VersionList(product_id=product_id, versions=rows, pagination=following)


@router.get(
    "/{version}",
    operation_id="getVersion",
    summary="A version with what it was and what it changed",
    responses=responses(*_READING, VersionNotFound),
)
async def get_version(ctx: Ctx, actor: SignedIn, product_id: ProductId, version: VersionNumber) -> Version:
    """`body` is what PUT takes. A version may show pictures that are kept no longer."""
    async with ctx.db.read() as tx:
        found = await version_of(tx, actor, product_id, version)
    if found is None:
        raise VersionNotFound("The product has no version with this number.")
    kept, former = found
    body = whole(kept.body)
    diff = [] if former is None else differences(_all(former, kept), _all(kept, kept))
    media = [PictureSaid.model_validate(one) for one in kept.media]
    return Version.model_validate(
        {
            **_row(kept, actor),
            "product_id": product_id,
            "body": body,
            "media": media,
            "safety": kept.safety or None,
            "diff": diff,
        }
    )


@router.post(
    "/{version}/restore",
    operation_id="restoreVersion",
    summary="Make one's own product what it was in a version",
    response_model=RestoredProduct,
    responses=responses(
        *_READING,
        Forbidden,
        VersionNotFound,
        ProductChanged,
        CategoryNotFound,
        SkuTaken,
        GtinTaken,
        DuplicateProduct,
        UnitsOwed,
    ),
)
async def restore_version(
    *, ctx: Ctx, actor: SellerActor, product_id: ProductId, version: VersionNumber, if_match: IfMatch = None
) -> Response:
    """As PUT of that version's `body`, with its `safety`, and a new version; none when the product is the same already.
    No stock changes: a variant that was removed since is made anew, without any. Pictures that are kept no longer are
    left out and named in `missingPictures`. `If-Match` is compared with the version alone."""
    restored = await commands.restore_version(ctx, actor, product_id, version, etags.expected(if_match))
    occasion = Occasion.of(ctx.settings, clock.now(), place=None, member=actor.member)
    async with ctx.db.read() as tx:
        number, detail = await product_of(
            tx, actor, product_id, occasion, languages=ctx.settings.languages, language=None, edited=True
        )
        (newest,) = await versions_of(tx, actor, product_id, MOST_VERSIONS, 1)
    body = RestoredProduct(
        **dict(detail), version=newest.version, restored=restored.changed, missing_pictures=restored.missing
    )
    stock = etags.stock_mark((variant.variant_id, variant.stock) for variant in detail.variants)
    rendered = body.model_dump_json(by_alias=True).encode()
    headers = {"ETag": etags.etag_of(number, rendered, stock), "Cache-Control": "private, no-cache"}
    return Response(rendered, 200, headers, "application/json")


def _row(said: Said, reader: Actor) -> dict[str, object]:
    hidden = said.author_kind == "admin" and reader.kind != "admin"
    author = Author(kind=said.author_kind, user_id=None if hidden else said.author_id)
    return {
        "version": said.version,
        "at": said.at,
        "author": author,
        "action": said.action,
        "restored_from": said.restored_from,
        "fields": said.fields,
    }


def _all(version: Kept, later: Kept) -> dict[str, object]:
    """Of safety data that a version does not know, nothing has changed."""
    safety = later.safety if version.safety is None else version.safety
    return {**whole(version.body), "media": version.media, "safety": safety or None}
