"""Reads of the offers of an article, in one round trip."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, CTE, Text, Uuid, and_, any_, bindparam, cast, func, literal_column, not_, select, true
from sqlalchemy.orm import aliased

from api.catalog.matches.models import JoinedArticle
from api.catalog.models import Product, ProductVariant
from api.catalog.offers.featured import Availability, OfferFacts, Ranked, ranked
from api.catalog.offers.schemas import Offer, OfferPoints
from api.catalog.purchase import Occasion, Purchase, Wanted, option_json, priced_alone, purchase
from api.catalog.queries.listing import LIVE
from api.catalog.queries.offers import Kit, kits_of
from api.catalog.queries.products import require_visible
from api.catalog.restrictions.rules import Limits, limits_of
from api.catalog.schemas import Condition, DeliveryOption, Kind, SellerCard
from api.catalog.statements import same_article
from api.delivery.promises import Origin
from api.inventory.queries import Stocked, columns_of, levels_of, may_be_owed
from api.inventory.warehouses.kept import origins_in
from api.kernel.actor import Actor
from api.kernel.db import ReadTx, all_as
from api.sellers import queries as sellers
from api.sellers.queries import StoreCard

# Offers of an article that are compared, new ones first and the cheapest of them: a page costs the same however many
# sellers there are.
MOST_OFFERS = 500
_ASKED, _SAME = aliased(Product, name="asked"), aliased(Product, name="same")
_SAME_ARTICLE = (
    select(_SAME.product_id)
    .join(_ASKED, _SAME.article_id == any_(literal_column(same_article("asked.article_id"), ARRAY(Uuid))))
    .where(_ASKED.product_id == bindparam("product_id"), _ASKED.article_id.is_not(None))
)
# The product itself, and those that are one article with it. An array, so that they are read by their ids.
_OF_ARTICLE = Product.product_id == any_(
    func.array(select(bindparam("product_id", type_=Uuid)).union(_SAME_ARTICLE).scalar_subquery(), type_=ARRAY(Uuid))
)
_ANY = aliased(ProductVariant)
_HAS_NONE = _ANY.stock_quantity == 0
_FIRST = (
    select(_ANY.variant_id)
    .where(_ANY.product_id == Product.product_id, _ANY.removed_at.is_(None))
    .order_by(_HAS_NONE, and_(_HAS_NONE, not_(may_be_owed(_ANY.variant_id))), _ANY.price, _ANY.variant_id)
    .limit(1)
    .scalar_subquery()
)
_LEVELS = levels_of(ProductVariant.variant_id)
_OFFERS = (
    select(
        Product.product_id,
        Product.seller_id,
        ProductVariant.variant_id,
        Product.condition,
        ProductVariant.attributes,
        ProductVariant.gtin,
        ProductVariant.price,
        Product.currency,
        ProductVariant.stock_quantity.label("stock"),
        Product.prime_eligible,
        Product.weight_grams,
        Product.tax_class,
        Product.kind,
        cast(Product.restrictions, Text).label("limits"),
        *columns_of(_LEVELS),
    )
    .select_from(Product)
    .join(ProductVariant, and_(ProductVariant.product_id == Product.product_id, ProductVariant.variant_id == _FIRST))
    .join(_LEVELS, true())
    .where(_OF_ARTICLE, LIVE)
    .order_by(Product.condition != "new", ProductVariant.price, Product.product_id)
    .limit(MOST_OFFERS)
)
_STORES = sellers.store_cards_of(select(Product.seller_id).where(_OF_ARTICLE))


@dataclass(slots=True, eq=False)
class _Offered(Stocked):
    """A living product by its first variant, with the warehouses of that."""

    product_id: UUID
    seller_id: UUID
    variant_id: UUID
    condition: Condition
    attributes: dict[str, str | int | float | bool | list[str] | None]
    gtin: str | None
    price: Decimal
    currency: str
    stock: int
    prime_eligible: bool
    weight_grams: int | None
    tax_class: str
    kind: Kind
    limits: str | None
    kit: Kit | None = field(init=False, default=None)

    def wanted(self, origins: Mapping[UUID, Origin]) -> Wanted:
        """One unit of it."""
        return Wanted(
            variant_id=self.variant_id,
            units=1,
            price=self.price,
            tax_class=self.tax_class,
            grams=self.weight_grams or 0,
            prime=self.prime_eligible,
            levels=self.levels_of(self.variant_id, origins),
            origins=origins,
            parts=self.kit.parts(self.price, origins) if self.kit else (),
            digital=self.kind == "digital",
        )

    @property
    def bars(self) -> list[Limits]:
        """To whom and where it is sold, a kit also as its components are."""
        own = [limits_of(self.limits)] if self.limits is not None else []
        return own + [limits for one in (self.kit.components if self.kit else ()) if (limits := one.limits) is not None]

    def made_of(self, kit: Kit) -> None:
        self.kit, self.stock = kit, kit.stock


@dataclass(frozen=True, slots=True)
class OfferOf:
    """An offer in its place among the others."""

    ranked: Ranked
    body: Offer


async def offers_of(tx: ReadTx, actor: Actor, product_id: UUID, occasion: Occasion) -> list[OfferOf]:
    """Every living offer of the article that a product is, the best first, as one unit of each would be bought on that
    occasion. Raises: ProductNotFound, also for a product that is not on sale, unless it is the actor's own."""
    asked = {"product_id": product_id}
    rows, stores = await tx.batch(all_as(_Offered, _OFFERS, asked), all_as(StoreCard, _STORES, asked))
    if not any(row.product_id == product_id for row in rows):
        await require_visible(tx, actor, product_id)
    kits = {row.variant_id: row for row in rows if row.kind == "kit"}
    edition = next((row.edition for row in rows), None)
    for variant_id, kit in (await kits_of(tx, kits)).items() if kits else ():
        kits[variant_id].made_of(kit)
        edition = kit.edition or edition
    origins = await origins_in(tx, edition) if rows else {}
    bought = {row.product_id: _bought(row, occasion, origins) for row in rows}
    names = {store.seller_id: store for store in stores}
    of = {row.product_id: row for row in rows}
    found = ranked([_facts(row, *bought[row.product_id], names.get(row.seller_id)) for row in rows])
    return [_offer(one, of[one.facts.product_id], bought[one.facts.product_id][0], names, actor) for one in found]


def _bought(row: _Offered, occasion: Occasion, origins: Mapping[UUID, Origin]) -> tuple[Purchase, Availability]:
    wanted = row.wanted(origins)
    if any(limits.bar(occasion.place.country) for limits in row.bars):
        return priced_alone([wanted], occasion), "not_sold_there"
    if not wanted.is_somewhere or (row.kit is not None and not row.kit.to_be_had):
        return priced_alone([wanted], occasion), "out_of_stock"
    bought = purchase([wanted], occasion, explained=False)
    return bought, "in_stock" if row.stock > 0 else "backordered"


def _facts(row: _Offered, bought: Purchase, availability: Availability, store: StoreCard | None) -> OfferFacts:
    return OfferFacts(
        product_id=row.product_id,
        total=bought.totals.total,
        arrives=bought.chosen.promise.last if bought.chosen else None,
        condition=row.condition,
        rating=store.rating if store else Decimal(0),
        availability=availability,
    )


def _offer(one: Ranked, row: _Offered, bought: Purchase, names: Mapping[UUID, StoreCard], actor: Actor) -> OfferOf:
    store = names.get(row.seller_id)
    body = Offer(
        product_id=row.product_id,
        variant_id=row.variant_id,
        seller=SellerCard(
            seller_id=row.seller_id,
            name=store.name if store else "Former seller",
            rating=float(store.rating) if store else 0.0,
        ),
        condition=row.condition,
        attributes=row.attributes,
        gtin=row.gtin,
        price=row.price,
        currency=row.currency,
        shipping_fee=bought.totals.shipping,
        total=bought.totals.total,
        delivery=None if bought.chosen is None else DeliveryOption.model_validate(option_json(bought.chosen)),
        availability=one.facts.availability,
        featured=one.featured,
        own=row.seller_id == actor.user_id,
        score=one.score,
        points=[OfferPoints(criterion=p.criterion, points=p.points, most=p.most, words=p.words) for p in one.points],
        why=one.why,
    )
    return OfferOf(one, body)


def _joined_with(articles: CTE) -> CTE:
    """The articles that are one with those, themselves among them."""
    one, joined = aliased(JoinedArticle), aliased(JoinedArticle)
    others = (
        select(joined.article_id)
        .join(one, one.joined_id == joined.joined_id)
        .join(articles, articles.c.article_id == one.article_id)
    )
    return select(articles.c.article_id).union(others).cte("joined")


_TOLD = _joined_with(select(func.unnest(bindparam("articles", type_=ARRAY(Uuid))).label("article_id")).cte("told"))
_NAMED = (
    select(ProductVariant.product_id)
    .where(ProductVariant.variant_id == any_(bindparam("variants", type_=ARRAY(Uuid))))
    .union(select(Product.product_id).select_from(Product).join(_TOLD, _TOLD.c.article_id == Product.article_id))
)
_TOUCHED = _joined_with(
    select(Product.article_id)
    .where(Product.product_id == any_(bindparam("products", type_=ARRAY(Uuid))), Product.article_id.is_not(None))
    .cte("touched")
)
_SHOWN_WITH = (
    select(Product.product_id).select_from(Product).join(_TOUCHED, _TOUCHED.c.article_id == Product.article_id)
)


async def products_of(tx: ReadTx, variants: Iterable[UUID], articles: Iterable[UUID] = ()) -> set[UUID]:
    """The products of these variants, and those that are one of these articles."""
    asked = {"variants": list(variants), "articles": list(articles)}
    return {row[0] for row in await tx.all(_NAMED, asked)}


async def shown_with(tx: ReadTx, products: Iterable[UUID]) -> set[UUID]:
    """All products that are one article with one of these, those among them that have an article."""
    return {row[0] for row in await tx.all(_SHOWN_WITH, {"products": list(products)})}
