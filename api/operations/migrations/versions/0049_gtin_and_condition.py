"""A variant has a GTIN, once among a seller's living ones, and a product a condition, which tells apart what is the
same thing otherwise."""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

_CONDITIONS = "condition IN ('new', 'refurbished', 'used_like_new', 'used_good', 'used_acceptable')"


def upgrade() -> None:
    op.add_column("product_variants", sa.Column("gtin", sa.String(14), nullable=True), if_not_exists=True)
    condition = sa.Column("condition", sa.String(20), server_default=sa.text("'new'"), nullable=False)
    op.add_column("products", condition, if_not_exists=True)
    for table, name, rule in (
        ("product_variants", "ck_product_variants_gtin", "gtin ~ '^[0-9]{14}$'"),
        ("products", "ck_products_condition", _CONDITIONS),
    ):
        op.drop_constraint(op.f(name), table, type_="check", if_exists=True)
        op.create_check_constraint(op.f(name), table, rule, postgresql_not_valid=True)
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    with op.get_context().autocommit_block():
        for name, table, columns, living in (
            ("uq_products_identity", "products", ["identity", "seller_id", "condition"], "deleted_at IS NULL"),
            (
                "uq_product_variants_seller_gtin",
                "product_variants",
                ["seller_id", "gtin"],
                "removed_at IS NULL AND gtin IS NOT NULL",
            ),
        ):
            # One that was interrupted is there, and is not valid.
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name, table, columns, unique=True, postgresql_where=sa.text(living), postgresql_concurrently=True
            )
