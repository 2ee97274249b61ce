"""Moderation of reviews: their signals, decisions, appeals and queue; votes that do not count; products for buyers only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
OUTCOME = "decision IN ('published', 'queued', 'rejected')"
CAUSE = "cause IN ('submitted', 'edited', 'language', 'suspected', 'reported', 'administrator', 'reopened', 'appeal')"
SCORE = "score BETWEEN 0 AND 1"


def _review_key() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["review_id"], ["reviews_by_user.review_id"], ondelete="CASCADE")


def _at(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW, nullable=False)


def upgrade() -> None:
    op.create_table(
        "review_signals",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(32), nullable=True),
        sa.Column("device", sa.String(32), nullable=True),
        sa.Column("signature", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("bands", sa.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("toxicity", sa.Double(), nullable=True),
        _at("created_at"),
        _review_key(),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_review_signals")),
    )
    for name, column in (("user", "user_id"), ("product", "product_id")):
        op.create_index(f"ix_review_signals_{name}", "review_signals", [column, "created_at"])
    for column in ("address", "device"):
        op.create_index(
            f"ix_review_signals_{column}",
            "review_signals",
            [column, "created_at"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_index("ix_review_signals_bands", "review_signals", ["bands"], postgresql_using="gin")
    op.create_index(
        "ix_review_signals_unread", "review_signals", ["review_id"], postgresql_where=sa.text("toxicity IS NULL")
    )
    op.create_table(
        "review_decisions",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(15), nullable=False),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reasons", JSONB(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        _at("created_at"),
        sa.CheckConstraint(OUTCOME, name=op.f("ck_review_decisions_decision")),
        sa.CheckConstraint(CAUSE, name=op.f("ck_review_decisions_cause")),
        sa.CheckConstraint(SCORE, name=op.f("ck_review_decisions_score")),
        sa.CheckConstraint("decided_by IS NOT NULL OR statement IS NULL", name=op.f("ck_review_decisions_statement")),
        sa.CheckConstraint(
            "decided_by IS NULL OR decision <> 'rejected' OR statement IS NOT NULL",
            name=op.f("ck_review_decisions_reasons"),
        ),
        _review_key(),
        sa.ForeignKeyConstraint(["decided_by"], ["users.user_id"]),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_review_decisions")),
    )
    op.create_index("ix_review_decisions_review", "review_decisions", ["review_id", "decision_id"])
    op.create_index(op.f("ix_review_decisions_decided_by"), "review_decisions", ["decided_by"])
    op.create_table(
        "review_appeals",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        _at("created_at"),
        _review_key(),
        sa.ForeignKeyConstraint(["decision_id"], ["review_decisions.decision_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_review_appeals")),
    )
    op.create_index(op.f("ix_review_appeals_decision_id"), "review_appeals", ["decision_id"])
    op.create_table(
        "queued_reviews",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(15), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reasons", JSONB(), nullable=False),
        _at("queued_at"),
        sa.CheckConstraint(CAUSE, name=op.f("ck_queued_reviews_cause")),
        sa.CheckConstraint(SCORE, name=op.f("ck_queued_reviews_score")),
        _review_key(),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_queued_reviews")),
    )
    op.create_index("ix_queued_reviews_oldest", "queued_reviews", ["queued_at", "review_id"])
    op.create_table(
        "buyers_only",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        _at("created_at"),
        sa.ForeignKeyConstraint(["seller_id"], ["users.user_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_buyers_only")),
    )
    op.create_index(op.f("ix_buyers_only_seller_id"), "buyers_only", ["seller_id"])
    # What waited before there was a queue.
    op.execute(
        "INSERT INTO queued_reviews (review_id, cause, score, reasons) SELECT review_id, 'submitted', least(score, 1), '[]'"
        " FROM reviews WHERE status = 'queued'"
    )
    op.add_column("review_votes", sa.Column("address", sa.String(32), nullable=True))
    op.add_column("review_votes", sa.Column("device", sa.String(32), nullable=True))
    op.add_column(
        "review_votes", sa.Column("standing", sa.String(12), server_default=sa.text("'counted'"), nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_review_votes_standing"), "review_votes", "standing IN ('counted', 'quarantined', 'released')"
    )
    op.create_index("ix_review_votes_newest", "review_votes", ["created_at", "review_id"])
