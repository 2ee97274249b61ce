"""The few refunds that wait for the gateway, found without reading all the others."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_refunds_pending", "refunds", ["created_at"], unique=False, postgresql_where=sa.text("status = 'pending'")
    )
