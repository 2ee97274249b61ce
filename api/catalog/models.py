"""Tables of categories, products and variants."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, CreatedAt, Currency, Id, Instant, Json, Money, Origin, UpdatedAt
from api.kernel.db import Base

_ON_SALE = text("on_sale")
# Filters of a list that are read from the index of its sort.
_ALSO = ("in_stock", "prime_eligible")
_LOWER = (*_ALSO, "lower_price")
_PRICED = (*_LOWER, "price")


class Category(Base):
    """A place in the tree; `path` names those above it. `removed_at`: no longer in the tree, and the path is free.

    `merged_into`: where what it held is now. Always one of the tree, also when that one is merged later.
    """

    __tablename__ = "categories"
    __table_args__ = (
        CheckConstraint("merged_into IS NULL OR removed_at IS NOT NULL", name="merged_into"),
        Index("uq_categories_path", "path", unique=True, postgresql_where=text("removed_at IS NULL")),
    )

    category_id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(255), info=NOT_PERSONAL)
    parent_category_id: Mapped[UUID | None] = mapped_column(ForeignKey("categories.category_id"), index=True)
    path: Mapped[str] = mapped_column(String(1000), info=NOT_PERSONAL)
    # By language, where it is called otherwise there.
    names: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True), info=NOT_PERSONAL)
    level: Mapped[int]
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("categories.category_id"), index=True)
    removed_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Product(Base):
    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint(
            "status IN ('draft', 'pending_review', 'active', 'rejected', 'inactive')",
            name="status",
        ),
        CheckConstraint("base_price > 0", name="base_price"),
        CheckConstraint("weight_grams BETWEEN 1 AND 1000000", name="weight_grams"),
        CheckConstraint("tax_class IN ('standard', 'food', 'books')", name="tax_class"),
        CheckConstraint(
            "condition IN ('new', 'refurbished', 'used_like_new', 'used_good', 'used_acceptable')", name="condition"
        ),
        CheckConstraint("kind IN ('physical', 'digital', 'kit')", name="kind"),
        CheckConstraint("list_price IS NULL OR list_price >= base_price", name="list_price"),
        CheckConstraint("average_rating BETWEEN 0 AND 5", name="average_rating"),
        Index(
            "uq_products_identity",
            "identity",
            "seller_id",
            "condition",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_products_seller_newest", "seller_id", "product_id"),
        Index("ix_products_browse", "category_id", "status", "product_id"),
        Index("ix_products_article", "article_id", postgresql_where=text("article_id IS NOT NULL")),
        # BRIN, because a sale must stay a heap-only update: Postgres allows that for summarising indexes only.
        Index("ix_products_changed", "updated_at", postgresql_using="brin"),
    )

    product_id: Mapped[Id]
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"))
    category_id: Mapped[UUID] = mapped_column(ForeignKey("categories.category_id"))
    # What article it is (`article_of` in `api/catalog/statements.py`); null where no other product can be the same one.
    article_id: Mapped[UUID | None]
    # Of title, brand and options (`api/catalog/commands/identity.py`); null for what is older, or loaded.
    identity: Mapped[str | None] = mapped_column(String(32), info=NOT_PERSONAL)
    title: Mapped[str] = mapped_column(String(500), info=NOT_PERSONAL)
    description: Mapped[str | None] = mapped_column(Text, info=NOT_PERSONAL)
    brand: Mapped[str | None] = mapped_column(String(255), info=NOT_PERSONAL)
    base_price: Mapped[Money]
    list_price: Mapped[Money | None]
    currency: Mapped[Currency]
    status: Mapped[str] = mapped_column(String(20), server_default=text("'active'"), info=NOT_PERSONAL)
    prime_eligible: Mapped[bool] = mapped_column(server_default=text("false"))
    weight_grams: Mapped[int | None]
    tax_class: Mapped[str] = mapped_column(String(20), server_default=text("'standard'"), info=NOT_PERSONAL)
    condition: Mapped[str] = mapped_column(String(20), server_default=text("'new'"), info=NOT_PERSONAL)
    kind: Mapped[str] = mapped_column(String(20), server_default=text("'physical'"), info=NOT_PERSONAL)
    average_rating: Mapped[Decimal] = mapped_column(Numeric(3, 2), server_default=text("0"))
    review_count: Mapped[int] = mapped_column(server_default=text("0"))
    specifications: Mapped[Json] = mapped_column(server_default=text("'{}'"), info=NOT_PERSONAL)
    # What of a Restrictions body says something; null where there is none.
    restrictions: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True), info=NOT_PERSONAL)
    # Of its own texts; null: that of the shop.
    language: Mapped[str | None] = mapped_column(String(35), info=NOT_PERSONAL)
    # By language, as `languages/commands.py` keeps them; null where there is none.
    translations: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True), info=NOT_PERSONAL)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    deleted_at: Mapped[Instant | None]


def _in_order(name: str, *columns: str, also: tuple[str, ...] = _ALSO) -> Index:
    """A sort of the product list, or of one category's: what is on sale only, with the filters that most ask for."""
    return Index(name, *columns, "product_id", postgresql_where=_ON_SALE, postgresql_include=also)


class PricePoint(Base):
    """A price at which a product is offered, by one or more of the variants that it is shown by (`shown` in
    `api/catalog/statements.py`); `lower_price` is its next lower one. `in_stock` is the product's.

    Lists sort and filter by these narrow rows, so that a page is read from an index alone, however deep it is. A list
    without a lowest price shows each product at its lowest one; with it, at the only one that is not below it and whose
    `lower_price` is. So no product is there twice.

    Triggers keep them equal to `products` and `product_variants` in the transaction that changes those. They change
    when the product does, and when one of its variants is sold out or in stock again; not with a sale. They are not
    published.
    """

    __tablename__ = "price_points"
    __table_args__ = (
        _in_order("ix_price_points_newest", "created_at", also=_PRICED),
        _in_order("ix_price_points_price", "price", also=_LOWER),
        _in_order("ix_price_points_rating", "average_rating", "review_count", also=_PRICED),
        _in_order("ix_price_points_category_newest", "category_id", "created_at", also=_PRICED),
        _in_order("ix_price_points_category_price", "category_id", "price", also=_LOWER),
        _in_order("ix_price_points_category_rating", "category_id", "average_rating", "review_count", also=_PRICED),
        # For what few products are asked for by.
        Index("ix_price_points_brand", "brand", postgresql_where=_ON_SALE),
        Index("ix_price_points_seller_id", "seller_id", postgresql_where=_ON_SALE),
        Index("ix_price_points_sold_out", "category_id", postgresql_where=text("on_sale AND NOT in_stock")),
    )
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    price: Mapped[Money] = mapped_column(primary_key=True)
    lower_price: Mapped[Money | None]
    category_id: Mapped[UUID]
    seller_id: Mapped[UUID]
    brand: Mapped[str | None] = mapped_column(String(255), info=NOT_PERSONAL)
    average_rating: Mapped[Decimal] = mapped_column(Numeric(3, 2))
    review_count: Mapped[int]
    prime_eligible: Mapped[bool]
    created_at: Mapped[Instant]
    on_sale: Mapped[bool]
    in_stock: Mapped[bool]


class ProductCounter(Base):
    """What changes all the time, in a row of a few bytes: a view or a sale writes no row of the product.

    One row per product, made with it. It is not published: no mart reads it. The rest is what
    its price points say, kept by the same triggers, so that the most popular products are one index read; without any
    it is not on sale.
    """

    __tablename__ = "product_counters"
    __table_args__ = (
        _in_order("ix_product_counters_popular", "units_sold_90d", "view_count"),
        _in_order("ix_product_counters_category_popular", "category_id", "units_sold_90d", "view_count"),
    )
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    units_sold_90d: Mapped[int] = mapped_column(server_default=text("0"))
    view_count: Mapped[int] = mapped_column(server_default=text("0"))
    category_id: Mapped[UUID | None]
    on_sale: Mapped[bool] = mapped_column(server_default=text("false"))
    in_stock: Mapped[bool] = mapped_column(server_default=text("false"))
    prime_eligible: Mapped[bool] = mapped_column(server_default=text("false"))


class ProductVariant(Base):
    """`price` is what it costs: its `own_price`, or its product's price where that is null. The row of one that was
    removed stays, for orders, carts and statistics; `api/catalog/statements.py` says what is for sale. `seller_id` is
    the product's: a SKU is one of a seller's, whatever its case, and so is a GTIN.

    `stock_quantity` = sellable units over all warehouses, and `owed` = units that were sold before a warehouse had
    them, written by the same statement as `warehouse_stock`.

    `lowest_price_30d`: the least that it cost in the 30 days before its price was last reduced; null for one whose
    price never was. A save that changes the price sets it (`api/catalog/commands/statements.py`), and time does not.

    Few are left when the stock falls to `low_stock_at`.
    """

    __tablename__ = "product_variants"
    __table_args__ = (
        CheckConstraint("stock_quantity >= 0", name="stock"),
        CheckConstraint("owed >= 0", name="owed"),
        CheckConstraint("low_stock_at >= 0", name="low_stock_at"),
        CheckConstraint("price > 0", name="price"),
        CheckConstraint("own_price IS NULL OR own_price = price", name="own_price"),
        Index(
            "uq_product_variants_seller_sku",
            "seller_id",
            text("lower(sku)"),
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
        CheckConstraint("gtin ~ '^[0-9]{14}$'", name="gtin"),
        Index(
            "uq_product_variants_seller_gtin",
            "seller_id",
            "gtin",
            unique=True,
            postgresql_where=text("removed_at IS NULL AND gtin IS NOT NULL"),
        ),
        Index("ix_product_variants_gtin", "gtin", postgresql_where=text("removed_at IS NULL AND gtin IS NOT NULL")),
        Index("ix_product_variants_changed", "updated_at", postgresql_using="brin"),
    )

    variant_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), index=True)
    seller_id: Mapped[UUID]
    sku: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    gtin: Mapped[str | None] = mapped_column(String(14), info=NOT_PERSONAL)
    attributes: Mapped[Json] = mapped_column(info=NOT_PERSONAL)
    price: Mapped[Money]
    own_price: Mapped[Money | None]
    lowest_price_30d: Mapped[Money | None]
    stock_quantity: Mapped[int] = mapped_column(server_default=text("0"))
    owed: Mapped[int] = mapped_column(server_default=text("0"))
    low_stock_at: Mapped[int] = mapped_column(server_default=text("15"))
    warehouse_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    removed_at: Mapped[Instant | None]


class ProductImage(Base):
    """What a product shows, in the order of `position` from 0; `variant_id`: it shows that variant.

    `url` leads to the largest size, and `picture` is its name in the store: nothing else is shown. `source`: the
    address that it was fetched from.
    """

    __tablename__ = "product_images"
    __table_args__ = (
        UniqueConstraint("product_id", "position"),
        CheckConstraint("picture IS NOT NULL", name="picture"),
        Index("ix_product_images_source", "source", postgresql_where=text("source IS NOT NULL")),
    )

    image_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    position: Mapped[int]
    url: Mapped[str] = mapped_column(String(1000), info=NOT_PERSONAL)
    picture: Mapped[str | None] = mapped_column(ForeignKey("pictures.name"), index=True, info=NOT_PERSONAL)
    alt: Mapped[str | None] = mapped_column(String(500), info=NOT_PERSONAL)
    variant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("product_variants.variant_id", ondelete="SET NULL"), index=True
    )
    source: Mapped[str | None] = mapped_column(String(1000), info=NOT_PERSONAL)
    created_at: Mapped[CreatedAt]


class AwaitedImage(Base):
    """A picture of a product of which only the address is known, `source`: it is to be fetched, or could not be.

    It has its place among the product's pictures, and becomes a ProductImage with this id when it is fetched. The rows
    are the queue: `next_try` is when it is tried again, and null when it is given up, for the `reason`. While it is
    fetched, `next_try` is when another worker may think that nobody does. `tries`: how often it was begun.

    `job_id` and `row`: the file and the row of it that named it.
    """

    __tablename__ = "awaited_images"
    __table_args__ = (
        CheckConstraint("next_try IS NOT NULL OR reason IS NOT NULL", name="reason"),
        CheckConstraint("tries >= 0", name="tries"),
        Index("ix_awaited_images_product", "product_id", "position"),
        Index("ix_awaited_images_seller", "seller_id", "source", "image_id"),
        Index("ix_awaited_images_due", "host", "next_try", postgresql_where=text("next_try IS NOT NULL")),
        Index("ix_awaited_images_job", "job_id", "row", postgresql_where=text("job_id IS NOT NULL")),
    )
    __unpublished__ = True

    image_id: Mapped[Id]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"))
    seller_id: Mapped[UUID]
    position: Mapped[int]
    source: Mapped[str] = mapped_column(String(1000), info=NOT_PERSONAL)
    host: Mapped[str] = mapped_column(String(300), info=NOT_PERSONAL)
    alt: Mapped[str | None] = mapped_column(String(500), info=NOT_PERSONAL)
    variant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("product_variants.variant_id", ondelete="SET NULL"), index=True
    )
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try: Mapped[Instant | None]
    reason: Mapped[str | None] = mapped_column(String(300), info=NOT_PERSONAL)
    job_id: Mapped[UUID | None]
    row: Mapped[int | None]
    created_at: Mapped[CreatedAt]
