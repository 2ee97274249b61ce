"""Labels of parcels, what carriers say of them, and parcels that were given up."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("parcels", sa.Column("lost_at", moment, nullable=True))
    op.create_table(
        "parcel_labels",
        sa.Column("label_id", sa.Uuid(), nullable=False),
        sa.Column("parcel_id", sa.Uuid(), nullable=False),
        sa.Column("carrier", sa.String(length=20), nullable=False),
        sa.Column("service", sa.String(length=50), nullable=False),
        sa.Column("weight_grams", sa.Integer(), nullable=False),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("arrives_on", sa.Date(), nullable=True),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.Column("status", sa.String(length=20), server_default=sa.text("'asked'"), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("refusal", sa.String(length=50), nullable=True),
        sa.Column("tracking_number", sa.String(length=100), nullable=True),
        sa.Column("tracking_id", sa.Uuid(), nullable=True),
        sa.Column("carriage", sa.String(length=20), nullable=True),
        sa.Column("last_scan_at", moment, nullable=True),
        sa.Column("due", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("watched", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('asked', 'bought', 'cancelling', 'cancelled', 'refused')", name=op.f("ck_parcel_labels_status")
        ),
        sa.CheckConstraint(
            "carriage IN ('in_transit', 'out_for_delivery', 'delivered', 'exception', 'lost')",
            name=op.f("ck_parcel_labels_carriage"),
        ),
        sa.CheckConstraint("weight_grams > 0 AND price >= 0", name=op.f("ck_parcel_labels_amounts")),
        sa.CheckConstraint(
            "status IN ('asked', 'refused') OR tracking_id IS NOT NULL", name=op.f("ck_parcel_labels_tracked")
        ),
        sa.CheckConstraint("(tracking_id IS NULL) = (tracking_number IS NULL)", name=op.f("ck_parcel_labels_tracking")),
        sa.ForeignKeyConstraint(
            ["parcel_id"], ["parcels.parcel_id"], name=op.f("fk_parcel_labels_parcel_id_parcels"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("label_id", name=op.f("pk_parcel_labels")),
    )
    live = sa.text("status IN ('asked', 'bought', 'cancelling')")
    asked = sa.text("status IN ('asked', 'cancelling')")
    op.create_index("uq_parcel_labels_live", "parcel_labels", ["parcel_id"], unique=True, postgresql_where=live)
    op.create_index("ix_parcel_labels_parcel", "parcel_labels", ["parcel_id", "created_at"])
    op.create_index("uq_parcel_labels_tracking", "parcel_labels", ["tracking_id"], unique=True)
    op.create_index("ix_parcel_labels_open", "parcel_labels", ["updated_at"], postgresql_where=asked)
    op.create_index("ix_parcel_labels_due", "parcel_labels", ["label_id"], postgresql_where=sa.text("due"))
    op.create_index("ix_parcel_labels_watched", "parcel_labels", ["promised_on"], postgresql_where=sa.text("watched"))
    op.create_table(
        "parcel_scans",
        sa.Column("carrier", sa.String(length=20), nullable=False),
        sa.Column("event_id", sa.String(length=100), nullable=False),
        sa.Column("tracking_id", sa.Uuid(), nullable=False),
        sa.Column("tracking_number", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("occurred_at", moment, nullable=False),
        sa.Column("place", sa.String(length=200), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('accepted', 'in_transit', 'out_for_delivery', 'delivered', 'exception', 'lost')",
            name=op.f("ck_parcel_scans_kind"),
        ),
        sa.PrimaryKeyConstraint("carrier", "event_id", name=op.f("pk_parcel_scans")),
    )
    op.create_index("ix_parcel_scans_tracking", "parcel_scans", ["tracking_id", "occurred_at"])
