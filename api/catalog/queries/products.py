"""One product in full: its statements (product, variants, seller, definitions) in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    Double,
    String,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    join,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased

from api.catalog.approval.queries import STATUS_REASON, WAS_APPROVED
from api.catalog.artwork.drawing import Subject
from api.catalog.attributes.options import Choice, picker_of
from api.catalog.attributes.queries import DefinitionRow, definitions_in, inherited
from api.catalog.errors import ProductNotFound
from api.catalog.languages.shown import texts_for
from api.catalog.models import Category, PricePoint, Product, ProductVariant
from api.catalog.pictures.queries import drawn_image, image_bodies, images_of
from api.catalog.purchase import Occasion, Wanted, offered_to_members, option_json, priced_alone, purchase
from api.catalog.queries.categories import breadcrumbs, crumbs_of
from api.catalog.queries.listing import FROM_PRICE
from api.catalog.queries.offers import NO_KITS, Component, Kit, kits_of
from api.catalog.queries.placement import UNKNOWN, VISIBLE, visible_query
from api.catalog.restrictions.rules import Limits, limits_of
from api.catalog.restrictions.schemas import Restrictions
from api.catalog.safety.models import ProductSafety
from api.catalog.schemas import (
    ComponentBody,
    Condition,
    DeliveryOption,
    Kind,
    OfferedVariant,
    OtherOffers,
    ProductDetail,
    ProductTax,
    Safety,
    SellerCard,
    Shipping,
    Status,
    Variant,
)
from api.catalog.statements import same_article
from api.delivery.promises import Origin
from api.inventory.queries import Stocked, columns_of, levels_of, may_be_owed
from api.inventory.warehouses.kept import origins_in
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, all_as, first_as
from api.kernel.languages import Languages, Reader
from api.kernel.money import ZERO, to_cents
from api.pricing.list_price import discount_percent, of_variant
from api.pricing.tax_table import TaxClass
from api.sellers import queries as sellers
from api.sellers.queries import StoreCard

# On sale, or the viewer's own and not deleted; a null viewer owns nothing.
_CATEGORY = select(Product.category_id).where(Product.product_id == bindparam("product_id"))
_SAFETY = select(ProductSafety.data).where(ProductSafety.product_id == Product.product_id).scalar_subquery()
_OTHER = aliased(Product)
# What else is in stock of the article; the first condition saves the rest where there is none.
_OTHERS = (
    select(func.count().label("other_offers"), func.min(PricePoint.price).label("other_offers_from"))
    .select_from(join(_OTHER, PricePoint, PricePoint.product_id == _OTHER.product_id))
    .where(
        Product.article_id.is_not(None),
        _OTHER.article_id == any_(literal_column(same_article("products.article_id"), ARRAY(Uuid))),
        _OTHER.product_id != Product.product_id,
        _OTHER.currency == Product.currency,
        PricePoint.lower_price.is_(None),
        PricePoint.on_sale,
        PricePoint.in_stock,
    )
    .correlate(Product)
    .lateral("others")
)
_DETAIL = (
    select(
        Product.product_id,
        Product.seller_id,
        Product.category_id,
        Product.title,
        Product.description,
        Product.brand,
        FROM_PRICE.label("price"),
        Product.base_price,
        Product.list_price.label("base_list_price"),
        Product.currency,
        Product.status,
        Product.prime_eligible,
        Product.tax_class,
        Product.weight_grams,
        Product.condition,
        Product.kind,
        Product.restrictions,
        cast(Product.restrictions, Text).label("limits"),
        cast(Product.average_rating, Double).label("rating"),
        Product.review_count,
        Product.specifications,
        Product.version,
        Category.path.label("category_path"),
        breadcrumbs(_CATEGORY).label("breadcrumbs"),
        images_of(Product.product_id).label("images"),
        _SAFETY.label("safety"),
        STATUS_REASON,
        _OTHERS.c.other_offers,
        _OTHERS.c.other_offers_from,
        Product.language,
        Product.translations[cast(bindparam("language"), String)].label("translation"),
        case((bindparam("edited", type_=Boolean), Product.translations)).label("translations"),
    )
    .select_from(Product)
    .join(Category, Category.category_id == Product.category_id)
    .join(_OTHERS, true())
    .where(Product.product_id == bindparam("product_id"), VISIBLE)
)
_DEFINITIONS = inherited(_CATEGORY)
_VISIBLE_PRODUCT = select(Product.currency).where(Product.product_id == bindparam("product_id"), VISIBLE)
_VARIANT = (
    ProductVariant.variant_id,
    ProductVariant.attributes,
    ProductVariant.price,
    ProductVariant.own_price,
    ProductVariant.lowest_price_30d,
    ProductVariant.sku,
    ProductVariant.gtin,
    ProductVariant.stock_quantity.label("stock"),
)
_OF_PRODUCT = (ProductVariant.product_id == bindparam("product_id"), ProductVariant.removed_at.is_(None))
_HAS_NONE = ProductVariant.stock_quantity == 0
_VARIANTS = (
    select(*_VARIANT, and_(_HAS_NONE, may_be_owed(ProductVariant.variant_id)).label("backordered"))
    .where(*_OF_PRODUCT)
    .order_by(ProductVariant.variant_id)
)
_ANY = aliased(ProductVariant)
_FIRST_IN_STOCK = (
    select(_ANY.variant_id)
    .where(_ANY.product_id == bindparam("product_id"), _ANY.removed_at.is_(None), _ANY.stock_quantity > 0)
    .order_by(_ANY.price, _ANY.variant_id)
    .limit(1)
    .scalar_subquery()
)
# Where its units are is asked of the variant that `_to_be_had` finds, and of those that may be backordered.
_LEVELS = levels_of(ProductVariant.variant_id, or_(_HAS_NONE, ProductVariant.variant_id == _FIRST_IN_STOCK))
_OFFERED = (
    select(*_VARIANT, *columns_of(_LEVELS))
    .join(_LEVELS, true())
    .where(*_OF_PRODUCT)
    .order_by(ProductVariant.variant_id)
)
_STORE = sellers.store_card_of(
    select(Product.seller_id).where(Product.product_id == bindparam("product_id")).scalar_subquery()
)
_PICTURE = (
    select(Product.title, Category.path.label("category"))
    .join(Category, Category.category_id == Product.category_id)
    .where(
        Product.product_id == bindparam("product_id"),
        or_(
            Product.status == "active",
            Product.status == "inactive",
            WAS_APPROVED,
            Product.seller_id == bindparam("viewer", type_=Uuid),
        ),
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
    price: Decimal  # the least of the variants that it is shown by
    base_price: Decimal
    base_list_price: Decimal | None
    currency: str
    status: Status
    prime_eligible: bool
    tax_class: TaxClass
    weight_grams: int | None
    condition: Condition
    kind: Kind
    restrictions: dict[str, object] | None
    limits: str | None
    rating: float
    review_count: int
    specifications: dict[str, object]
    version: int
    category_path: str
    breadcrumbs: list[dict[str, str]]
    images: list[dict[str, Any]] | None  # Any: JSON
    safety: dict[str, object] | None
    status_reason: str | None
    other_offers: int
    other_offers_from: Decimal | None
    language: str | None
    translation: dict[str, Any] | None  # Any: JSON
    translations: dict[str, object] | None


@dataclass(slots=True)
class _Offered(Stocked):
    """A variant. It has warehouses if it is the cheapest in stock, or if they may owe what is not there."""

    variant_id: UUID
    attributes: dict[str, str | int | float | bool | list[str] | None]
    price: Decimal
    own_price: Decimal | None
    lowest_price_30d: Decimal | None
    sku: str
    gtin: str | None
    stock: int
    kit: Kit | None = field(init=False, default=None)

    @property
    def backordered(self) -> bool:
        """Whether there is none, and it may be ordered."""
        return self.stock == 0 and (self.kit.to_be_had > 0 if self.kit else bool(self.warehouses))


@dataclass(frozen=True, slots=True)
class _Visible:
    """What an actor who may see a product needs besides its variants."""

    currency: str


async def product_of(
    tx: ReadTx,
    actor: Actor,
    product_id: UUID,
    occasion: Occasion,
    *,
    languages: Languages,
    language: str | None,
    edited: bool,
) -> tuple[int, ProductDetail]:
    """The version and the seed's detail body, with what one unit costs and when it arrives on that occasion.

    `language` None: the product's own. `edited`: with all its translations, for whoever may change them.

    Raises: ProductNotFound, also for a product that is not on sale, unless it is the actor's own.
    """
    viewed = {"product_id": product_id, "viewer": actor.user_id}
    asked = {**viewed, "language": language, "edited": edited}
    row, variants, store, definitions = await tx.batch(
        first_as(_Product, _DETAIL, asked),
        all_as(_Offered, _OFFERED, viewed),
        first_as(StoreCard, _STORE, viewed),
        all_as(DefinitionRow, _DEFINITIONS, viewed),
    )
    if row is None:
        raise ProductNotFound(UNKNOWN)
    kits = await kits_of(tx, [one.variant_id for one in variants]) if row.kind == "kit" else NO_KITS
    if row.kind == "kit":
        _count(variants, kits)
    sent = _to_be_had(variants)
    reader = languages.reader(language or row.language or languages.own)
    crumbs, own = crumbs_of(row.breadcrumbs, reader), {"title": row.title, "description": row.description}
    texts = texts_for(reader, row.language, own, row.translation, images=row.images or (), crumbs=crumbs)
    # Of what was read last: the others were there then.
    told: Iterable[Kit | _Offered] = (*kits.values(), *variants)
    edition = next((one.edition for one in told), None)
    origins = await origins_in(tx, edition) if edition else {}
    media = image_bodies(row.images, texts.alts) or [
        drawn_image(product_id, Subject(row.title, row.category_path), texts.title)
    ]
    list_price = of_variant(row.price, row.base_price, row.base_list_price)
    shown = [_variant(row, variant, origins, occasion, reader) for variant in variants]
    options, combinations = picker_of([_choice(variant) for variant in shown], definitions_in(definitions), media)
    lowest = [one.lowest_price_30d for one in variants if one.lowest_price_30d is not None and one.price == row.price]
    detail = ProductDetail(
        product_id=row.product_id,
        title=texts.title,
        description=texts.description,
        brand=row.brand,
        category=" > ".join(crumb.name for crumb in crumbs),
        category_id=row.category_id,
        breadcrumbs=crumbs,
        price=row.price,
        list_price=list_price,
        base_price=row.base_price,
        base_list_price=row.base_list_price,
        lowest_price_30d=min(lowest, default=None),
        currency=row.currency,
        discount=discount_percent(row.price, list_price),
        variants=shown,
        options=options,
        combinations=combinations,
        images=[image.url1200 for image in media],
        media=media,
        specifications=row.specifications,
        seller=SellerCard(
            seller_id=row.seller_id,
            name=store.name if store else "Former seller",
            rating=float(store.rating) if store else 0.0,
        ),
        safety=None if row.safety is None else Safety.model_validate(row.safety),
        shipping=_shipping(_one_unit(row, sent, origins), occasion, _limits(row, sent)),
        tax=_tax(row, variants, origins, occasion),
        rating=row.rating,
        review_count=row.review_count,
        prime_eligible=row.prime_eligible,
        tax_class=row.tax_class,
        weight_grams=row.weight_grams,
        condition=row.condition,
        kind=row.kind,
        restrictions=None if row.restrictions is None else Restrictions.model_validate(row.restrictions),
        in_stock=any(variant.stock > 0 for variant in variants),
        status=row.status,
        status_reason=row.status_reason,
        other_offers=OtherOffers(count=row.other_offers, from_=row.other_offers_from),
        language=reader.language,
        fallbacks=texts.fallbacks,
        labels=dict(texts.labels),
        translations=row.translations,
    )
    return row.version, detail


def _count(variants: Sequence[_Offered], kits: Mapping[UUID, Kit]) -> None:
    """Say of the variants of a kit what they are made of, and how many there are of each."""
    for one in variants:
        one.kit = kits[one.variant_id]
        one.stock = one.kit.stock


def _to_be_had(variants: Sequence[_Offered]) -> _Offered | None:
    """The cheapest variant in stock, else the cheapest that may be backordered."""
    there = [one for one in variants if one.stock or one.backordered]
    return min(there, key=lambda one: (one.stock == 0, one.price, one.variant_id), default=None)


def _limits(row: _Product, sent: _Offered | None) -> list[Limits]:
    """To whom and where it is sold, a kit also as its components are."""
    components = sent.kit.components if sent and sent.kit else ()
    own = [limits_of(row.limits)] if row.limits else []
    return own + [limits for one in components if (limits := one.limits) is not None]


def _shipping(wanted: Wanted, occasion: Occasion, limits: Sequence[Limits]) -> Shipping:
    """What one unit costs to send and when it arrives; no days where it is not sold."""
    country = occasion.place.country
    barred = any(one.bar(country) for one in limits)
    there = wanted.is_somewhere and not barred
    bought = purchase([wanted], occasion, explained=False) if there else priced_alone([wanted], occasion)
    of_members = offered_to_members(bought, occasion)
    fastest = of_members[-1] if len(of_members) > 1 else None
    days = bought.chosen.promise if bought.chosen else None
    return Shipping(
        prime_delivery=fastest.text if fastest else None,
        prime_speed=fastest.speed if fastest else None,
        prime_from=fastest.first if fastest else None,
        prime_to=fastest.last if fastest else None,
        standard_delivery=days.text if days else f"Not sold to {country}" if barred else "Out of stock",
        standard_from=days.first if days else None,
        standard_to=days.last if days else None,
        backordered=any(one.expected_on is not None for one in bought.allocations),
        free_shipping=bought.totals.shipping == 0,
        fee=bought.totals.shipping,
        options=[DeliveryOption.model_validate(option_json(option)) for option in bought.options],
    )


def _variant(
    row: _Product, one: _Offered, origins: Mapping[UUID, Origin], occasion: Occasion, reader: Reader
) -> OfferedVariant:
    """A variant, with the promise of a unit that is backordered."""
    wanted = [_one_unit(row, one, origins)] if one.backordered else []
    options = purchase(wanted, occasion, explained=False).options if wanted else []
    promised = options[0].promise if options else None
    return OfferedVariant(
        variant_id=one.variant_id,
        attributes=one.attributes,
        price=one.price,
        own_price=one.own_price,
        lowest_price_30d=one.lowest_price_30d,
        sku=one.sku,
        gtin=one.gtin,
        stock=one.stock,
        backordered=one.backordered,
        standard_from=promised.first if promised else None,
        standard_to=promised.last if promised else None,
        components=None if one.kit is None else [_component(part, reader) for part in one.kit.components],
    )


def _component(part: Component, reader: Reader) -> ComponentBody:
    return ComponentBody(
        variant_id=part.variant_id,
        product_id=part.product_id,
        title=part.title_for(reader)[0],
        sku=part.sku,
        units=part.units,
        stock=part.stock,
        for_sale=part.on_sale,
    )


def _choice(variant: OfferedVariant) -> Choice:
    return Choice(variant.variant_id, variant.attributes, variant.stock > 0 or variant.backordered)


def _one_unit(row: _Product, sent: _Offered | None, origins: Mapping[UUID, Origin]) -> Wanted:
    """One unit of the variant; without one, of the product at its price, which nobody can send."""
    return Wanted(
        variant_id=sent.variant_id if sent else row.product_id,
        units=1,
        price=sent.price if sent else row.price,
        tax_class=row.tax_class,
        grams=row.weight_grams or 0,
        prime=row.prime_eligible,
        levels=sent.levels_of(sent.variant_id, origins) if sent else (),
        origins=origins,
        parts=sent.kit.parts(sent.price, origins) if sent and sent.kit else (),
        digital=row.kind == "digital",
    )


def _tax(row: _Product, variants: Sequence[_Offered], origins: Mapping[UUID, Origin], occasion: Occasion) -> ProductTax:
    """Of a kit it is that of its components, of which each may have another rate."""
    terms = occasion.tariff.tax
    kit = next((one for one in variants if one.kit is not None and one.price == row.price), None)
    if kit is not None:
        taxes = priced_alone([_one_unit(row, kit, origins)], occasion).totals.lines
        rates = {tax.rate for tax in taxes}
        amount = sum((tax.amount for tax in taxes), ZERO)
        rate = rates.pop() if len(rates) == 1 else to_cents(amount / kit.price)
        return ProductTax(tax_class=row.tax_class, rate=rate, amount=amount, included=terms.included)
    return ProductTax(
        tax_class=row.tax_class,
        rate=terms.rate(row.tax_class),
        amount=terms.on_goods(row.price, row.tax_class),
        included=terms.included,
    )


async def variants_on_sale(tx: ReadTx, actor: Actor, product_id: UUID) -> tuple[str, list[Variant]]:
    """Currency and variants, oldest first, of a product that the actor may see. Raises: ProductNotFound."""
    asked = {"product_id": product_id, "viewer": actor.user_id}
    visible, variants = await tx.batch(first_as(_Visible, _VISIBLE_PRODUCT, asked), all_as(Variant, _VARIANTS, asked))
    if visible is None:
        raise ProductNotFound(UNKNOWN)
    return visible.currency, variants


async def require_visible(tx: ReadTx, actor: Actor, product_id: UUID) -> UUID:
    """Who sells the product. Raises: ProductNotFound when the actor may not see it."""
    return await tx.fetch(visible_query(actor, product_id))


async def picture_of(tx: ReadTx, actor: Actor, product_id: UUID) -> Subject:
    """What a picture is drawn from, also for a withdrawn product, because orders still show it. The picture
    contains the title, so another seller's draft has none.

    Raises: ProductNotFound.
    """
    picture = await tx.first_as(Subject, _PICTURE, {"product_id": product_id, "viewer": actor.user_id})
    if picture is None:
        raise ProductNotFound(UNKNOWN)
    return picture
