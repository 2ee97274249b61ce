"""Questions and answers, product safety data, and members who want no list of what they looked at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "question_posts",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("question_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("votes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("answers", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("created_at"),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('seller', 'buyer', 'visitor')", name=op.f("ck_question_posts_role")),
        sa.CheckConstraint("votes >= 0 AND answers >= 0", name=op.f("ck_question_posts_counts")),
        _goes_with("question_posts", "product_id", "products"),
        _goes_with("question_posts", "question_id", "question_posts", "post_id"),
        _goes_with("question_posts", "user_id", "users"),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_question_posts")),
    )
    op.create_index(
        "ix_question_posts_questions",
        "question_posts",
        ["product_id", "votes", "post_id"],
        postgresql_where=sa.text("removed_at IS NULL AND question_id IS NULL"),
    )
    op.create_index(
        "ix_question_posts_answers",
        "question_posts",
        ["question_id"],
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index("ix_question_posts_author", "question_posts", ["user_id", "created_at"])
    op.create_table(
        "question_votes",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _moment("created_at"),
        _goes_with("question_votes", "post_id", "question_posts"),
        _goes_with("question_votes", "user_id", "users"),
        sa.PrimaryKeyConstraint("post_id", "user_id", name=op.f("pk_question_votes")),
    )
    op.create_index(op.f("ix_question_votes_user_id"), "question_votes", ["user_id"])
    op.create_table(
        "question_reports",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        _moment("created_at"),
        sa.CheckConstraint(
            "reason IN ('spam', 'abuse', 'personal_data', 'off_topic', 'other')",
            name=op.f("ck_question_reports_reason"),
        ),
        _goes_with("question_reports", "post_id", "question_posts"),
        _goes_with("question_reports", "user_id", "users"),
        sa.PrimaryKeyConstraint("post_id", "user_id", name=op.f("pk_question_reports")),
    )
    op.create_index(op.f("ix_question_reports_user_id"), "question_reports", ["user_id"])
    op.create_table(
        "unwatched_members",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _moment("created_at"),
        _goes_with("unwatched_members", "user_id", "users"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_unwatched_members")),
    )
    op.create_table(
        "product_safety",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        _moment("updated_at"),
        _goes_with("product_safety", "product_id", "products"),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_safety")),
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=_NOW, nullable=False)


def _goes_with(table: str, column: str, other: str, key: str = "") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.{key or column}"], name=name, ondelete="CASCADE")
