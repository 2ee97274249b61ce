"""A seller has each thing once, and the same thing of several sellers is queued to be matched.

What there is has no identity yet, and is compared from the first save on that changes
what it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("identity", sa.String(32), nullable=True), if_not_exists=True)
    op.create_table(
        "offer_matches",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("other_product_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("product_id", "other_product_id", name=op.f("pk_offer_matches")),
        *(
            sa.ForeignKeyConstraint(
                [column],
                ["products.product_id"],
                name=op.f(f"fk_offer_matches_{column}_products"),
                ondelete="CASCADE",
            )
            for column in ("product_id", "other_product_id")
        ),
        if_not_exists=True,
    )
    with op.get_context().autocommit_block():
        for name, columns, unique in (
            ("uq_products_identity", ["identity", "seller_id"], True),
            ("ix_products_seller_newest", ["seller_id", "product_id"], False),
        ):
            # One that was interrupted is there, and is not valid.
            op.drop_index(name, table_name="products", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                "products",
                columns,
                unique=unique,
                postgresql_where=sa.text("deleted_at IS NULL") if unique else None,
                postgresql_concurrently=True,
            )
        op.drop_index("ix_products_seller_id", table_name="products", if_exists=True, postgresql_concurrently=True)
