"""A product is sent, delivered online, or a kit of other products."""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = sa.Column("kind", sa.String(20), server_default=sa.text("'physical'"), nullable=False)
    op.add_column("products", kind, if_not_exists=True)
    op.drop_constraint(op.f("ck_products_kind"), "products", type_="check", if_exists=True)
    op.execute(
        "ALTER TABLE products ADD CONSTRAINT ck_products_kind CHECK (kind IN ('physical', 'digital', 'kit')) NOT VALID"
    )
    op.execute("ALTER TABLE products VALIDATE CONSTRAINT ck_products_kind")
