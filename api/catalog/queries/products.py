"""One product in full: three statements (product, variants, seller) in one round trip."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Double, Uuid, and_, bindparam, cast, func, or_, select

from api.catalog.artwork import artwork_path
from api.catalog.errors import ProductNotFound
from api.catalog.models import Category, Product, ProductImage, ProductVariant
from api.catalog.queries.categories import readable_path
from api.catalog.schemas import ProductDetail, SellerCard, Shipping, Status, Variant
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, all_as, first_as
from api.kernel.settings import Settings
from api.pricing.delivery import promise
from api.pricing.list_price import discount_percent
from api.pricing.tariff import Tariff
from api.sellers import queries as sellers
from api.sellers.queries import StoreCard

_IMAGES = func.array(
    select(ProductImage.url)
    .where(ProductImage.product_id == Product.product_id)
    .order_by(ProductImage.position)
    .scalar_subquery()
)
# On sale, or the viewer's own and not deleted; a null viewer owns nothing.
_VISIBLE = and_(
    Product.deleted_at.is_(None), or_(Product.status == "active", Product.seller_id == bindparam("viewer", type_=Uuid))
)
_DETAIL = (
    select(
        Product.product_id,
        Product.seller_id,
        Product.category_id,
        Product.title,
        Product.description,
        Product.brand,
        Product.base_price.label("price"),
        Product.list_price,
        Product.currency,
        Product.status,
        Product.prime_eligible,
        cast(Product.average_rating, Double).label("rating"),
        Product.review_count,
        Product.specifications,
        Product.version,
        Category.path.label("category_path"),
        _IMAGES.label("images"),
    )
    .join(Category, Category.category_id == Product.category_id)
    .where(Product.product_id == bindparam("product_id"), _VISIBLE)
)
_VISIBLE_PRODUCT = select(Product.currency).where(Product.product_id == bindparam("product_id"), _VISIBLE)
_VARIANTS = (
    select(
        ProductVariant.variant_id,
        ProductVariant.attributes,
        ProductVariant.price,
        ProductVariant.sku,
        ProductVariant.stock_quantity.label("stock"),
    )
    .where(ProductVariant.product_id == bindparam("product_id"))
    .order_by(ProductVariant.variant_id)
)
_STORE = sellers.store_card_of(
    select(Product.seller_id).where(Product.product_id == bindparam("product_id")).scalar_subquery()
)
_PICTURE = (
    select(Product.title, Category.path)
    .join(Category, Category.category_id == Product.category_id)
    .where(
        Product.product_id == bindparam("product_id"),
        or_(Product.status != "draft", Product.seller_id == bindparam("viewer", type_=Uuid)),
    )
)


@dataclass(frozen=True, slots=True)
class _Product:
    """A product's row with its category and images, without variants, seller and delivery promises."""

    product_id: UUID
    seller_id: UUID
    category_id: UUID
    title: str
    description: str | None
    brand: str | None
    price: Decimal
    list_price: Decimal | None
    currency: str
    status: Status
    prime_eligible: bool
    rating: float
    review_count: int
    specifications: dict[str, object]
    version: int
    category_path: str
    images: list[str]


@dataclass(frozen=True, slots=True)
class _Visible:
    """What an actor who may see a product needs besides its variants."""

    currency: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What a generated picture is drawn from; `path` of the category."""

    title: str
    path: str


_UNKNOWN = "There is no product with this id."


async def product_of(tx: ReadTx, actor: Actor, product_id: UUID, settings: Settings) -> tuple[int, ProductDetail]:
    """The version and the seed's detail body.

    Raises: ProductNotFound, also for a product that is not on sale, unless it is the actor's own.
    """
    asked = {"product_id": product_id, "viewer": actor.user_id}
    row, variants, store = await tx.batch(
        first_as(_Product, _DETAIL, asked), all_as(Variant, _VARIANTS, asked), first_as(StoreCard, _STORE, asked)
    )
    if row is None:
        raise ProductNotFound(_UNKNOWN)
    detail = ProductDetail(
        product_id=row.product_id,
        title=row.title,
        description=row.description,
        brand=row.brand,
        category=readable_path(row.category_path),
        category_id=row.category_id,
        price=row.price,
        list_price=row.list_price,
        currency=row.currency,
        discount=discount_percent(row.price, row.list_price),
        variants=variants,
        images=row.images or [artwork_path(product_id)],
        specifications=row.specifications,
        seller=SellerCard(
            seller_id=row.seller_id,
            name=store.name if store else "Former seller",
            rating=float(store.rating) if store else 0.0,
        ),
        shipping=Shipping(**asdict(promise(Tariff.of(settings), row.price, prime=row.prime_eligible))),
        rating=row.rating,
        review_count=row.review_count,
        prime_eligible=row.prime_eligible,
        in_stock=any(variant.stock > 0 for variant in variants),
        status=row.status,
    )
    return row.version, detail


async def variants_on_sale(tx: ReadTx, actor: Actor, product_id: UUID) -> tuple[str, list[Variant]]:
    """Currency and variants, oldest first, of a product that the actor may see. Raises: ProductNotFound."""
    asked = {"product_id": product_id, "viewer": actor.user_id}
    visible, variants = await tx.batch(first_as(_Visible, _VISIBLE_PRODUCT, asked), all_as(Variant, _VARIANTS, asked))
    if visible is None:
        raise ProductNotFound(_UNKNOWN)
    return visible.currency, variants


async def require_visible(tx: ReadTx, actor: Actor, product_id: UUID) -> None:
    """Raises: ProductNotFound when the actor may not see the product."""
    if await tx.first(_VISIBLE_PRODUCT, {"product_id": product_id, "viewer": actor.user_id}) is None:
        raise ProductNotFound(_UNKNOWN)


async def picture_of(tx: ReadTx, actor: Actor, product_id: UUID) -> Picture:
    """What a generated picture is drawn from, also for a withdrawn product, because orders still show it. The picture
    contains the title, so another seller's draft has none.

    Raises: ProductNotFound.
    """
    picture = await tx.first_as(Picture, _PICTURE, {"product_id": product_id, "viewer": actor.user_id})
    if picture is None:
        raise ProductNotFound(_UNKNOWN)
    return picture
