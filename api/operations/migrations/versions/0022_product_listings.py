"""What lists sort and filter by is in one narrow row per product, and a page of a list is read from an index alone.

Triggers keep the rows, so a process of the release before keeps them too. The indexes of `products` that lists were
read from go last; until the new release runs, its lists are slow and right.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

COPIED = (
    "category_id", "seller_id", "brand", "base_price", "average_rating", "review_count", "prime_eligible", "created_at",
)  # fmt: skip
INCLUDED = ["in_stock", "prime_eligible"]
SORTS = {"newest": ["created_at"], "price": ["base_price"], "rating": ["average_rating", "review_count"]}
POPULAR = ["units_sold_90d", "view_count"]
NEW = (
    *((f"ix_product_listings_{sort}", "product_listings", columns) for sort, columns in SORTS.items()),
    *(
        (f"ix_product_listings_category_{sort}", "product_listings", ["category_id", *columns])
        for sort, columns in SORTS.items()
    ),
)
FILTERS = ("brand", "seller_id")
REPLACED = ("ix_products_brand", *(f"ix_products_{scope}_{sort}" for scope in ("live", "category") for sort in SORTS))
ON_SALE = "status = 'active' AND deleted_at IS NULL"

# A load says `given` and writes the rows itself, which takes a tenth of the time.
_NOT_GIVEN = "current_setting('souk.listings', true) IS DISTINCT FROM 'given'"
# With INSERT, one statement for all its rows. With UPDATE, a row calls its function only when something that lists
# read is different: a sale compares two numbers.
TRIGGERS = f"""
CREATE FUNCTION list_new_products() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_listings (product_id, {", ".join(COPIED)}, on_sale, variants_in_stock)
    SELECT product_id, {", ".join(COPIED)}, {ON_SALE},
           (SELECT count(*) FROM product_variants v WHERE v.product_id = made.product_id AND v.stock_quantity > 0)
    FROM made ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE FUNCTION list_changed_product() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE product_listings SET {", ".join(f"{name} = NEW.{name}" for name in COPIED)},
        on_sale = (NEW.status = 'active' AND NEW.deleted_at IS NULL)
    WHERE product_id = NEW.product_id;
    RETURN NULL;
END $$;
CREATE FUNCTION list_new_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM made WHERE stock_quantity > 0) THEN
        RETURN NULL;
    END IF;
    -- Counted anew: one statement may make both a product and its variants, and their triggers come in any order. With
    -- the lock, whoever moves other stock of the product has been counted, or counts after this.
    PERFORM FROM product_listings WHERE product_id IN (SELECT product_id FROM made)
    ORDER BY product_id FOR NO KEY UPDATE;
    UPDATE product_listings l SET variants_in_stock =
        (SELECT count(*) FROM product_variants v WHERE v.product_id = l.product_id AND v.stock_quantity > 0)
    WHERE product_id IN (SELECT product_id FROM made WHERE stock_quantity > 0);
    RETURN NULL;
END $$;
CREATE FUNCTION list_changed_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.stock_quantity > 0 THEN
        UPDATE product_listings SET variants_in_stock = variants_in_stock - 1 WHERE product_id = OLD.product_id;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.stock_quantity > 0 THEN
        UPDATE product_listings SET variants_in_stock = variants_in_stock + 1 WHERE product_id = NEW.product_id;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION count_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE product_counters
    SET on_sale = NEW.on_sale, in_stock = NEW.in_stock, prime_eligible = NEW.prime_eligible
    WHERE product_id = NEW.product_id;
    RETURN NULL;
END $$;
CREATE FUNCTION list_new_counter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whoever changes the listing meanwhile finds these counters, or is waited for.
    PERFORM FROM product_listings WHERE product_id = NEW.product_id FOR SHARE;
    UPDATE product_counters c SET on_sale = l.on_sale, in_stock = l.in_stock, prime_eligible = l.prime_eligible
    FROM product_listings l WHERE c.product_id = NEW.product_id AND l.product_id = NEW.product_id;
    RETURN NULL;
END $$;
CREATE TRIGGER products_listed AFTER INSERT ON products REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT WHEN ({_NOT_GIVEN}) EXECUTE FUNCTION list_new_products();
CREATE TRIGGER products_listed_anew AFTER UPDATE ON products FOR EACH ROW
    WHEN (({", ".join(f"OLD.{name}" for name in (*COPIED, "status", "deleted_at"))})
          IS DISTINCT FROM ({", ".join(f"NEW.{name}" for name in (*COPIED, "status", "deleted_at"))}))
    EXECUTE FUNCTION list_changed_product();
CREATE TRIGGER product_variants_listed AFTER INSERT ON product_variants REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT WHEN ({_NOT_GIVEN}) EXECUTE FUNCTION list_new_stock();
CREATE TRIGGER product_variants_listed_anew AFTER UPDATE ON product_variants FOR EACH ROW
    WHEN ((OLD.stock_quantity > 0) IS DISTINCT FROM (NEW.stock_quantity > 0)
          OR OLD.product_id IS DISTINCT FROM NEW.product_id)
    EXECUTE FUNCTION list_changed_stock();
CREATE TRIGGER product_variants_unlisted AFTER DELETE ON product_variants FOR EACH ROW
    WHEN (OLD.stock_quantity > 0) EXECUTE FUNCTION list_changed_stock();
CREATE TRIGGER product_listings_counted AFTER INSERT ON product_listings FOR EACH ROW
    WHEN ({_NOT_GIVEN}) EXECUTE FUNCTION count_listing();
CREATE TRIGGER product_listings_counted_anew AFTER UPDATE ON product_listings FOR EACH ROW
    WHEN ((OLD.on_sale, OLD.in_stock, OLD.prime_eligible) IS DISTINCT FROM
          (NEW.on_sale, NEW.in_stock, NEW.prime_eligible))
    EXECUTE FUNCTION count_listing();
CREATE TRIGGER product_counters_listed AFTER INSERT ON product_counters FOR EACH ROW
    WHEN ({_NOT_GIVEN}) EXECUTE FUNCTION list_new_counter();
"""  # noqa: S608 - names of columns
# The products and variants of a batch are locked, so that no change of them falls between reading and listing them.
FILL = f"""
WITH batch AS MATERIALIZED (
  SELECT product_id, {", ".join(COPIED)}, {ON_SALE} AS on_sale FROM products WHERE product_id > :after
  ORDER BY product_id LIMIT :size FOR NO KEY UPDATE
),
stock AS MATERIALIZED (
  SELECT product_id, stock_quantity FROM product_variants WHERE product_id IN (SELECT product_id FROM batch)
  ORDER BY variant_id FOR NO KEY UPDATE
),
stocked AS (SELECT product_id, count(*) AS variants FROM stock WHERE stock_quantity > 0 GROUP BY 1),
listed AS (
  INSERT INTO product_listings (product_id, {", ".join(COPIED)}, on_sale, variants_in_stock)
  SELECT product_id, {", ".join(f"b.{name}" for name in COPIED)}, b.on_sale, coalesce(s.variants, 0)
  FROM batch b LEFT JOIN stocked s USING (product_id) ON CONFLICT DO NOTHING
)
SELECT product_id FROM batch ORDER BY product_id DESC LIMIT 1
"""  # noqa: S608 - names of columns


def upgrade() -> None:
    op.create_table(
        "product_listings",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("brand", sa.String(255), nullable=True),
        sa.Column("base_price", sa.Numeric(12, 2), nullable=False),
        sa.Column("average_rating", sa.Numeric(3, 2), nullable=False),
        sa.Column("review_count", sa.Integer(), nullable=False),
        sa.Column("prime_eligible", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("on_sale", sa.Boolean(), nullable=False),
        sa.Column("variants_in_stock", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("in_stock", sa.Boolean(), sa.Computed("variants_in_stock > 0", persisted=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_product_listings_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_listings")),
        if_not_exists=True,
    )
    for name in ("on_sale", "in_stock", "prime_eligible"):
        op.add_column(
            "product_counters",
            sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False),
            if_not_exists=True,
        )
    if op.get_bind().scalar(sa.text("SELECT to_regproc('list_new_products')")) is None:
        op.execute(TRIGGERS)
    with op.get_context().autocommit_block():
        fill_in_batches(op.get_bind(), FILL)
        for name, table, columns in NEW:
            # One that was interrupted is there, and is not valid.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            _create(name, table, columns)
        for column in FILTERS:
            name = f"ix_product_listings_{column}"
            op.drop_index(name, table_name="product_listings", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                "product_listings",
                [column],
                postgresql_where=sa.text("on_sale"),
                postgresql_concurrently=True,
            )
        for name, columns in (
            ("ix_product_counters_popular", POPULAR),
            ("ix_product_counters_category_popular", ["category_id", *POPULAR]),
        ):
            op.drop_index(
                f"{name}_on_sale", table_name="product_counters", if_exists=True, postgresql_concurrently=True
            )
            _create(f"{name}_on_sale", "product_counters", columns)
            op.drop_index(name, table_name="product_counters", if_exists=True, postgresql_concurrently=True)
            op.execute(f"ALTER INDEX {name}_on_sale RENAME TO {name}")
        for name in REPLACED:
            op.drop_index(name, table_name="products", if_exists=True, postgresql_concurrently=True)


def _create(name: str, table: str, columns: list[str]) -> None:
    op.create_index(
        name,
        table,
        [*columns, "product_id"],
        postgresql_where=sa.text("on_sale"),
        postgresql_include=INCLUDED,
        postgresql_concurrently=True,
    )
