"""A carrier's label for what comes back: a label may be of a return, and a return may wait for one."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    waits = sa.Column("label_due", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    op.add_column("returns", waits, if_not_exists=True)
    op.create_index("ix_returns_label_due", "returns", ["return_id"], postgresql_where=sa.text("label_due"))
    op.add_column("parcel_labels", sa.Column("return_id", sa.Uuid(), nullable=True), if_not_exists=True)
    op.execute(
        "ALTER TABLE parcel_labels ADD CONSTRAINT fk_parcel_labels_return_id_returns"
        " FOREIGN KEY (return_id) REFERENCES returns (return_id) ON DELETE CASCADE NOT VALID"
    )
    op.execute("ALTER TABLE parcel_labels VALIDATE CONSTRAINT fk_parcel_labels_return_id_returns")
    live = "status IN ('asked', 'bought', 'cancelling')"
    op.drop_index("uq_parcel_labels_live", table_name="parcel_labels")
    op.create_index(
        "uq_parcel_labels_live",
        "parcel_labels",
        ["parcel_id"],
        unique=True,
        postgresql_where=sa.text(f"return_id IS NULL AND {live}"),
    )
    op.create_index(
        "uq_parcel_labels_return",
        "parcel_labels",
        ["return_id"],
        unique=True,
        postgresql_where=sa.text(f"return_id IS NOT NULL AND {live}"),
    )
