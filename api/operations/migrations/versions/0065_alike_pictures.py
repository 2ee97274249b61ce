"""Pictures have a perceptual hash, by which those that look alike are found."""

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pictures", sa.Column("perceptual_hash", sa.BigInteger(), nullable=True))
    op.add_column("pictures", sa.Column("bands", sa.ARRAY(sa.Integer()), nullable=True))
    op.create_index(
        "ix_pictures_bands", "pictures", ["bands"], postgresql_using="gin", postgresql_with={"fastupdate": "off"}
    )
