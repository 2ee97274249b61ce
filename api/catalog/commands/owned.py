"""A seller's products as they are written: the fields that POST and PUT take, with their variants."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Integer,
    ScalarSelect,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute, aliased

from api.catalog.commands.fields import COLUMNS
from api.catalog.kits.models import KitComponent
from api.catalog.models import AwaitedImage, Category, Product, ProductImage, ProductVariant
from api.kernel.actor import Actor
from api.kernel.db import ReadTx

_NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class OwnVariant:
    """`price` None: it has the product's. `components`: of a kit, by their SKUs; it has no stock of its own."""

    variant_id: UUID
    sku: str
    attributes: dict[str, str]
    price: Decimal | None
    stock: int | None
    gtin: str | None
    components: list[dict[str, object]] | None = None


@dataclass(frozen=True, slots=True)
class OwnProduct:
    """`fields`: the value of each field of a ProductIn but for its variants; `category` is the path, and `images` are
    the addresses that pictures were, or are to be, fetched from, and the shop's own of others.

    `sources`: where a picture was fetched from, by its own address. `failed`: addresses that were given up.
    """

    product_id: UUID
    category_id: UUID
    fields: dict[str, Any]  # Any: values of several types
    variants: list[OwnVariant]
    sources: Mapping[str, str] = field(default_factory=dict)
    failed: Collection[str] = ()

    def has_images(self, images: Sequence[str]) -> bool:
        """Whether it has these pictures in this order, and nothing is to be done for them."""
        sent = [self.sources.get(image, image) for image in dict.fromkeys(images)]
        return sent == self.fields["images"] and not set(sent).intersection(self.failed)


async def own_products_after(tx: ReadTx, actor: Actor, after: UUID | None, limit: int) -> list[OwnProduct]:
    """The next `limit` of the actor's products in the order of their ids, but for deleted ones."""
    return await _read(tx, _AFTER, {"seller_id": actor.user_id, "after": after or _NOWHERE, "take": limit})


async def own_products_of(
    tx: ReadTx, actor: Actor, skus: Collection[str], ids: Collection[UUID]
) -> dict[UUID, OwnProduct]:
    """The actor's products that have one of the SKUs, or one of the ids."""
    asked = {"seller_id": actor.user_id, "skus": [sku.lower() for sku in skus], "ids": list(ids)}
    return {product.product_id: product for product in await _read(tx, _OF, asked)}


async def own_members(tx: ReadTx, actor: Actor, limit: int) -> tuple[list[str], list[str]]:
    """The names of the specifications and of the attributes that the actor's products have, at most `limit` of each."""
    asked = {"seller_id": actor.user_id, "take": limit}
    specifications = [row[0] for row in await tx.all(_SPECIFICATIONS, asked)]
    return specifications, [row[0] for row in await tx.all(_ATTRIBUTES, asked)]


async def _read(tx: ReadTx, statement: Select[Any], values: dict[str, Any]) -> list[OwnProduct]:  # Any: SQLAlchemy's
    return [_own(tuple(row)) for row in await tx.all(statement, values)]


def _own(row: tuple[Any, ...]) -> OwnProduct:  # Any: JSON, and values of columns
    product_id, category_id, path, shown, awaited, variants, *values = row
    images = sorted([*(shown or ()), *(awaited or ())], key=lambda image: image["position"])
    fields = dict(zip(COLUMNS, values, strict=True)) | {
        "category": path,
        "images": [image["source"] or image["url"] for image in images],
    }
    return OwnProduct(
        product_id,
        category_id,
        fields,
        [_variant(variant) for variant in variants or ()],
        sources={image["url"]: image["source"] for image in shown or () if image["source"] is not None},
        failed=[image["source"] for image in awaited or () if image["failed"]],
    )


def _variant(row: dict[str, Any]) -> OwnVariant:  # Any: JSON
    price = None if row["price"] is None else Decimal(row["price"])
    return OwnVariant(
        variant_id=UUID(row["id"]),
        sku=row["sku"],
        attributes=row["attributes"],
        price=price,
        stock=row["stock"] if row["components"] is None else None,
        gtin=row["gtin"],
        components=row["components"],
    )


def _images(
    model: type[ProductImage] | type[AwaitedImage], *more: Any
) -> ScalarSelect[Any]:  # Any: names and columns, JSON
    one = func.jsonb_build_object("position", model.position, "source", model.source, *more)
    return select(func.jsonb_agg(one)).where(model.product_id == Product.product_id).scalar_subquery()


_SHOWN = _images(ProductImage, "url", ProductImage.url)
_AWAITED = _images(AwaitedImage, "failed", AwaitedImage.next_try.is_(None))


def _own_products() -> Select[Any]:  # Any: as above
    variant = func.jsonb_build_object(
        "id", ProductVariant.variant_id, "sku", ProductVariant.sku, "attributes", ProductVariant.attributes,
        "price", cast(ProductVariant.own_price, Text), "stock", ProductVariant.stock_quantity,
        "gtin", ProductVariant.gtin, "components", _components(),
    )  # fmt: skip
    variants = (
        select(func.jsonb_agg(aggregate_order_by(variant, ProductVariant.variant_id)))
        .where(ProductVariant.product_id == Product.product_id, ProductVariant.removed_at.is_(None))
        .scalar_subquery()
    )
    return (
        select(
            Product.product_id, Product.category_id, Category.path, _SHOWN, _AWAITED, variants,
            *(getattr(Product, column) for column in COLUMNS.values()),
        )
        .join(Category, Category.category_id == Product.category_id)
        .where(Product.seller_id == bindparam("seller_id"), Product.deleted_at.is_(None))
    )  # fmt: skip


def _components() -> ScalarSelect[Any]:  # Any: JSON
    component = aliased(ProductVariant, name="component")
    one = func.jsonb_build_object("sku", component.sku, "units", KitComponent.units)
    return (
        select(func.jsonb_agg(aggregate_order_by(one, KitComponent.position)))
        .join(component, component.variant_id == KitComponent.component_id)
        .where(KitComponent.variant_id == ProductVariant.variant_id)
        .correlate(ProductVariant)
        .scalar_subquery()
    )


def _members(document: InstrumentedAttribute[Any]) -> Select[Any]:  # Any: JSON, and as above
    name = func.jsonb_object_keys(document).table_valued(column("name", Text)).render_derived("members")
    return (
        select(name.c.name)
        .select_from(Product)
        .join(ProductVariant, ProductVariant.product_id == Product.product_id)
        .join(name, true())
        .where(
            Product.seller_id == bindparam("seller_id"),
            Product.deleted_at.is_(None),
            ProductVariant.removed_at.is_(None),
        )
        .distinct()
        .order_by(name.c.name)
        .limit(bindparam("take", type_=Integer))
    )


_BY_SKU = select(ProductVariant.product_id).where(
    ProductVariant.seller_id == bindparam("seller_id"),
    any_(bindparam("skus", type_=ARRAY(Text))) == func.lower(ProductVariant.sku),
    ProductVariant.removed_at.is_(None),
)
_BY_ID = select(func.unnest(bindparam("ids", type_=ARRAY(Uuid))))
_OF = _own_products().where(Product.product_id.in_(_BY_SKU.union(_BY_ID)))
_SPECIFICATIONS, _ATTRIBUTES = (_members(Product.specifications), _members(ProductVariant.attributes))
_AFTER = (
    _own_products()
    .where(Product.product_id > bindparam("after"))
    .order_by(Product.product_id)
    .limit(bindparam("take", type_=Integer))
)
