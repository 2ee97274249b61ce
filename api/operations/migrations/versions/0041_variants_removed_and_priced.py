"""A variant has a price of its own or follows its product's, can be removed, and its SKU is one of its seller's.

What was not known before is read off the numbers, once: a variant that costs what its product does follows it, every
other has a price of its own. Variants of withdrawn products are removed. Of one seller's variants whose SKUs differ in
case alone all but the first get the end of their id as well; of variants of a product that differ in nothing all but
the first get their SKU as an attribute. A trigger says the seller for a process of the release before; such a process
can sell, but cannot save a variant.
"""

import sqlalchemy as sa
from alembic import op

from api.operations.batches import fill_in_batches

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

SKUS = "uq_product_variants_seller_sku"
# `variants_in_stock` of a listing counts what is not removed.
TRIGGERS = """
CREATE OR REPLACE FUNCTION list_new_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM made WHERE stock_quantity > 0) THEN
        RETURN NULL;
    END IF;
    -- Counted anew: one statement may make both a product and its variants, and their triggers come in any order. With
    -- the lock, whoever moves other stock of the product has been counted, or counts after this.
    PERFORM FROM product_listings WHERE product_id IN (SELECT product_id FROM made)
    ORDER BY product_id FOR NO KEY UPDATE;
    UPDATE product_listings l SET variants_in_stock =
        (SELECT count(*) FROM product_variants v
         WHERE v.product_id = l.product_id AND v.stock_quantity > 0 AND v.removed_at IS NULL)
    WHERE product_id IN (SELECT product_id FROM made WHERE stock_quantity > 0);
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION list_changed_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.stock_quantity > 0 AND OLD.removed_at IS NULL THEN
        UPDATE product_listings SET variants_in_stock = variants_in_stock - 1 WHERE product_id = OLD.product_id;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.stock_quantity > 0 AND NEW.removed_at IS NULL THEN
        UPDATE product_listings SET variants_in_stock = variants_in_stock + 1 WHERE product_id = NEW.product_id;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER product_variants_listed_anew AFTER UPDATE ON product_variants FOR EACH ROW
    WHEN ((OLD.stock_quantity > 0 AND OLD.removed_at IS NULL) IS DISTINCT FROM
          (NEW.stock_quantity > 0 AND NEW.removed_at IS NULL)
          OR OLD.product_id IS DISTINCT FROM NEW.product_id)
    EXECUTE FUNCTION list_changed_stock();
CREATE OR REPLACE FUNCTION say_seller_of_variant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT seller_id, nullif(NEW.price, base_price) INTO NEW.seller_id, NEW.own_price
    FROM products WHERE product_id = NEW.product_id;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER product_variants_seller BEFORE INSERT ON product_variants FOR EACH ROW
    WHEN (NEW.seller_id IS NULL) EXECUTE FUNCTION say_seller_of_variant();
"""
FILL = """
WITH batch AS MATERIALIZED (
  SELECT variant_id FROM product_variants WHERE variant_id > :after
  ORDER BY variant_id LIMIT :size FOR NO KEY UPDATE
),
filled AS (
  UPDATE product_variants v
  SET seller_id = p.seller_id, own_price = nullif(v.price, p.base_price), removed_at = p.deleted_at
  FROM batch b, products p
  WHERE v.variant_id = b.variant_id AND p.product_id = v.product_id AND v.seller_id IS NULL
)
SELECT variant_id FROM batch ORDER BY variant_id DESC LIMIT 1
"""
ALIKE = """
WITH skus AS (
  SELECT variant_id, row_number() OVER (PARTITION BY seller_id, lower(sku) ORDER BY variant_id) AS nth
  FROM product_variants WHERE removed_at IS NULL
)
UPDATE product_variants v SET sku = left(v.sku, 80) || '-' || right(v.variant_id::text, 12), updated_at = now()
FROM skus WHERE skus.variant_id = v.variant_id AND skus.nth > 1;
WITH options AS (
  SELECT variant_id, row_number() OVER (
    PARTITION BY product_id, lower(normalize(attributes::text, NFKC)) ORDER BY variant_id) AS nth
  FROM product_variants WHERE removed_at IS NULL
)
UPDATE product_variants v SET attributes = v.attributes || jsonb_build_object('sku', v.sku), updated_at = now()
FROM options WHERE options.variant_id = v.variant_id AND options.nth > 1;
"""


def upgrade() -> None:
    for column in (
        sa.Column("seller_id", sa.Uuid(), nullable=True),
        sa.Column("own_price", sa.Numeric(12, 2), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("product_variants", column, if_not_exists=True)
    op.execute(TRIGGERS)
    with op.get_context().autocommit_block():
        fill_in_batches(op.get_bind(), FILL)
        op.execute(ALIKE)
        # One that was interrupted is there, and is not valid.
        op.drop_index(SKUS, table_name="product_variants", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            SKUS,
            "product_variants",
            ["seller_id", sa.text("lower(sku)")],
            unique=True,
            postgresql_where=sa.text("removed_at IS NULL"),
            postgresql_concurrently=True,
        )
        for name, condition in (
            ("seller_known", "seller_id IS NOT NULL"),
            ("own_price", "own_price IS NULL OR own_price = price"),
        ):
            op.execute(f"ALTER TABLE product_variants DROP CONSTRAINT IF EXISTS ck_product_variants_{name}")
            op.execute(
                f"ALTER TABLE product_variants ADD CONSTRAINT ck_product_variants_{name} CHECK ({condition}) NOT VALID"
            )
            op.execute(f"ALTER TABLE product_variants VALIDATE CONSTRAINT ck_product_variants_{name}")
    op.alter_column("product_variants", "seller_id", nullable=False)
    op.execute("ALTER TABLE product_variants DROP CONSTRAINT ck_product_variants_seller_known")
    op.drop_constraint(op.f("uq_product_variants_sku"), "product_variants")
