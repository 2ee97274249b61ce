"""What lists sort and filter by is in one narrow row per price at which a product is offered by its variants.

The price of the product itself, which no variant need have, decides nothing any more. One function says the rows of
products anew, and triggers call it. The table before goes last; until the new release runs, the lists of the release
before fail.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

COPIED = ("category_id", "seller_id", "brand", "average_rating", "review_count", "prime_eligible", "created_at")
OF_PRODUCT = (*COPIED, "status", "deleted_at")
OF_POINT = (*COPIED, "lower_price", "on_sale", "in_stock")
COUNTED = ("category_id", "on_sale", "in_stock", "prime_eligible")
ALSO = ["in_stock", "prime_eligible"]
LOWER = [*ALSO, "lower_price"]
PRICED = [*LOWER, "price"]
SORTS = {"newest": ["created_at"], "price": ["price"], "rating": ["average_rating", "review_count"]}
FILTERS = {
    "brand": ("brand", "on_sale"),
    "seller_id": ("seller_id", "on_sale"),
    "sold_out": ("category_id", "on_sale AND NOT in_stock"),
}

# A load says `given` and writes the rows itself, which takes a tenth of the time.
_NOT_GIVEN = "current_setting('souk.listings', true) IS DISTINCT FROM 'given'"


def _row(table: str, columns: tuple[str, ...]) -> str:
    return f"({', '.join(f'{table}.{name}' for name in columns)})"


# With INSERT, one call for all rows of a statement. With UPDATE, a row calls it only when something that lists read is
# different: a sale compares two numbers.
TRIGGERS = f"""
CREATE FUNCTION list_products(changed uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO product_counters (product_id, category_id)
    SELECT product_id, category_id FROM products WHERE product_id = ANY(changed)
    ON CONFLICT DO NOTHING;
    -- Whoever changes the same products or their variants has been seen after this, or sees what is written here.
    PERFORM FROM product_counters WHERE product_id = ANY(changed) ORDER BY product_id FOR NO KEY UPDATE;
    WITH sold AS MATERIALIZED (
        SELECT v.product_id, v.price, v.stock_quantity > 0 AS in_stock,
               bool_or(v.stock_quantity > 0) OVER (PARTITION BY v.product_id) AS product_in_stock
        FROM product_variants v WHERE v.product_id = ANY(changed) AND v.removed_at IS NULL),
    points AS MATERIALIZED (
        SELECT product_id, price, product_in_stock AS in_stock,
               lag(price) OVER (PARTITION BY product_id ORDER BY price) AS lower_price
        FROM sold WHERE in_stock = product_in_stock GROUP BY product_id, price, product_in_stock),
    gone AS (
        DELETE FROM price_points l WHERE l.product_id = ANY(changed)
        AND NOT EXISTS (SELECT FROM points n WHERE n.product_id = l.product_id AND n.price = l.price))
    INSERT INTO price_points AS l (product_id, price, lower_price, {", ".join(COPIED)}, on_sale, in_stock)
    SELECT n.product_id, n.price, n.lower_price, {", ".join(f"p.{name}" for name in COPIED)},
           p.status = 'active' AND p.deleted_at IS NULL, n.in_stock
    FROM points n JOIN products p USING (product_id)
    ON CONFLICT (product_id, price) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in OF_POINT)}
    WHERE {_row("l", OF_POINT)} IS DISTINCT FROM {_row("excluded", OF_POINT)};
    UPDATE product_counters c SET {", ".join(f"{name} = n.{name}" for name in COUNTED)}
    FROM (SELECT p.product_id, p.category_id, coalesce(l.on_sale, false) AS on_sale,
                 coalesce(l.in_stock, false) AS in_stock, p.prime_eligible
          FROM products p LEFT JOIN price_points l ON l.product_id = p.product_id AND l.lower_price IS NULL
          WHERE p.product_id = ANY(changed)) n
    WHERE c.product_id = n.product_id AND {_row("c", COUNTED)} IS DISTINCT FROM {_row("n", COUNTED)};
END $$;
CREATE FUNCTION list_product() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM list_products(ARRAY[NEW.product_id]);
    RETURN NULL;
END $$;
CREATE FUNCTION list_new_variants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM list_products(array_agg(DISTINCT product_id)) FROM made;
    RETURN NULL;
END $$;
CREATE FUNCTION list_changed_variant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM list_products(array_remove(ARRAY[OLD.product_id, NEW.product_id], NULL));
    RETURN NULL;
END $$;
CREATE TRIGGER products_priced AFTER UPDATE ON products FOR EACH ROW
    WHEN ({_row("OLD", OF_PRODUCT)} IS DISTINCT FROM {_row("NEW", OF_PRODUCT)})
    EXECUTE FUNCTION list_product();
CREATE TRIGGER product_variants_priced AFTER INSERT ON product_variants REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT WHEN ({_NOT_GIVEN}) EXECUTE FUNCTION list_new_variants();
CREATE TRIGGER product_variants_priced_anew AFTER UPDATE ON product_variants FOR EACH ROW
    WHEN ((OLD.stock_quantity > 0) IS DISTINCT FROM (NEW.stock_quantity > 0)
          OR OLD.price IS DISTINCT FROM NEW.price OR OLD.product_id IS DISTINCT FROM NEW.product_id
          OR (OLD.removed_at IS NULL) IS DISTINCT FROM (NEW.removed_at IS NULL))
    EXECUTE FUNCTION list_changed_variant();
CREATE TRIGGER product_variants_unpriced AFTER DELETE ON product_variants FOR EACH ROW
    EXECUTE FUNCTION list_changed_variant();
CREATE TRIGGER product_counters_priced AFTER INSERT ON product_counters FOR EACH ROW
    WHEN ({_NOT_GIVEN} AND pg_trigger_depth() = 0) EXECUTE FUNCTION list_product();
"""  # noqa: S608 - names of columns
FILL = """
WITH batch AS MATERIALIZED (SELECT product_id FROM products WHERE product_id > :after ORDER BY product_id LIMIT :size),
listed AS MATERIALIZED (SELECT list_products(array_agg(product_id)) IS NULL AS never FROM batch)
SELECT product_id FROM batch, listed ORDER BY product_id DESC LIMIT 1
"""
# What kept the table before, and counters from it.
REPLACED = """
DROP TABLE IF EXISTS product_listings;
DROP TRIGGER IF EXISTS products_listed ON products;
DROP TRIGGER IF EXISTS products_listed_anew ON products;
DROP TRIGGER IF EXISTS product_variants_listed ON product_variants;
DROP TRIGGER IF EXISTS product_variants_listed_anew ON product_variants;
DROP TRIGGER IF EXISTS product_variants_unlisted ON product_variants;
DROP TRIGGER IF EXISTS product_counters_listed ON product_counters;
DROP FUNCTION IF EXISTS list_new_products, list_changed_product, list_new_stock, list_changed_stock, count_listing,
    list_new_counter;
"""


def upgrade() -> None:
    op.create_table(
        "price_points",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.Column("lower_price", sa.Numeric(12, 2), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("brand", sa.String(255), nullable=True),
        sa.Column("average_rating", sa.Numeric(3, 2), nullable=False),
        sa.Column("review_count", sa.Integer(), nullable=False),
        sa.Column("prime_eligible", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("on_sale", sa.Boolean(), nullable=False),
        sa.Column("in_stock", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_price_points_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "price", name=op.f("pk_price_points")),
        if_not_exists=True,
    )
    if op.get_bind().scalar(sa.text("SELECT to_regproc('list_products')")) is None:
        op.execute(TRIGGERS)
    with op.get_context().autocommit_block():
        fill_in_batches(op.get_bind(), FILL)
        for sort, columns in SORTS.items():
            also = LOWER if sort == "price" else PRICED
            _create(sort, [*columns, "product_id"], "on_sale", also)
            _create(f"category_{sort}", ["category_id", *columns, "product_id"], "on_sale", also)
        for name, (column, where) in FILTERS.items():
            _create(name, [column], where, [])
    op.execute(REPLACED)


def _create(name: str, columns: list[str], where: str, also: list[str]) -> None:
    name = f"ix_price_points_{name}"
    # One that was interrupted is there, and is not valid.
    op.drop_index(name, table_name="price_points", if_exists=True, postgresql_concurrently=True)
    op.create_index(
        name,
        "price_points",
        columns,
        postgresql_where=sa.text(where),
        postgresql_include=also or None,
        postgresql_concurrently=True,
    )
