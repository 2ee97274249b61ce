"""Files of products: a job each, and a row for each of their rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)

    def count(name: str) -> sa.Column[int]:
        return sa.Column(name, sa.Integer(), server_default="0", nullable=False)

    op.create_table(
        "bulk_jobs",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("format", sa.String(length=10), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=True),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="queued", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("at_byte", sa.BigInteger(), server_default="0", nullable=False),
        *(count(name) for name in ("at_row", "at_line", "rows", "created", "updated", "unchanged", "failed")),
        sa.Column("worked_ms", sa.BigInteger(), server_default="0", nullable=False),
        count("attempts"),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("leased_until", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", moment, nullable=True),
        sa.Column("updated_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_bulk_jobs_state")
        ),
        sa.CheckConstraint("format IN ('csv', 'jsonl')", name=op.f("ck_bulk_jobs_format")),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (state IN ('queued', 'running'))", name=op.f("ck_bulk_jobs_finished")
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["users.user_id"], name=op.f("fk_bulk_jobs_seller_id_users")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_bulk_jobs")),
    )
    op.create_index("ix_bulk_jobs_seller", "bulk_jobs", ["seller_id", "created_at"])
    still_open = sa.text("state IN ('queued', 'running')")
    op.create_index("ix_bulk_jobs_open", "bulk_jobs", ["updated_at"], postgresql_where=still_open)
    op.create_table(
        "bulk_rows",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=True),
        sa.Column("tie", sa.String(length=200), nullable=True),
        sa.Column("result", sa.String(length=10), nullable=False),
        sa.Column("findings", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint("result IN ('created', 'updated', 'unchanged', 'failed')", name=op.f("ck_bulk_rows_result")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["bulk_jobs.job_id"], name=op.f("fk_bulk_rows_job_id_bulk_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "row", name=op.f("pk_bulk_rows")),
    )
    op.create_index("ix_bulk_rows_sku", "bulk_rows", ["job_id", sa.text("lower(sku)")])
    tied = sa.text("tie IS NOT NULL")
    op.create_index("ix_bulk_rows_tie", "bulk_rows", ["job_id", "tie"], postgresql_where=tied)
