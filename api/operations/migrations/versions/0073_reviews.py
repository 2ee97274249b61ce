"""Reviews: texts in partitions by month, narrow rows by author, votes, answers, reports, ratings and requests.

Partitions are in a schema of their own, so that whoever lists the tables of the shop sees one. `make_review_month` adds
that of a month, and takes over what the partition of all other months holds of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0073"
down_revision = "0071"
branch_labels = None
depends_on = None

STATUS = "status IN ('published', 'queued', 'rejected')"
RATING = "rating BETWEEN 1 AND 5"
NOW = sa.text("now()")
ZERO = sa.text("0")
PUBLISHED = sa.text("status = 'published'")
MONTHS = """
CREATE SCHEMA IF NOT EXISTS partitions;
CREATE TABLE partitions.reviews_other PARTITION OF reviews DEFAULT;
CREATE FUNCTION make_review_month(at timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    following timestamptz := (date_trunc('month', at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    name text := 'reviews_' || to_char(at AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
    IF to_regclass('partitions.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Two at once make one.
    PERFORM pg_advisory_xact_lock(hashtextextended('make_review_month', 0));
    IF to_regclass('partitions.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE partitions.%I (LIKE public.reviews INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    LOCK TABLE partitions.reviews_other IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH moved AS (DELETE FROM partitions.reviews_other WHERE created_at >= %L AND created_at < %L'
                   ' RETURNING *) INSERT INTO partitions.%I SELECT * FROM moved', first, following, name);
    EXECUTE format('ALTER TABLE public.reviews ATTACH PARTITION partitions.%I FOR VALUES FROM (%L) TO (%L)', name, first,
                   following);
    RETURN true;
END $$;
SELECT make_review_month(now() + n * interval '1 month') FROM generate_series(0, 2) n;
"""


def _review_key() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["review_id"], ["reviews_by_user.review_id"], ondelete="CASCADE")


def _user_key(column: str = "user_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["users.user_id"], ondelete="CASCADE")


def _product_key() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["product_id"], ["products.product_id"], ondelete="CASCADE")


def _at(name: str, *, default: bool = True, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=NOW if default else None, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        _at("created_at"),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.String(150), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("language", sa.String(35), nullable=True),
        sa.Column("images", sa.ARRAY(sa.String(41)), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("verified_purchase", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("helpful_count", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("not_helpful_count", sa.Integer(), server_default=ZERO, nullable=False),
        sa.Column("helpfulness", sa.Double(), server_default=ZERO, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("score", sa.Double(), server_default=ZERO, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _at("edited_at", default=False, nullable=True),
        sa.Column("origin", sa.String(10), server_default=sa.text("'native'"), nullable=False),
        sa.CheckConstraint(RATING, name=op.f("ck_reviews_rating")),
        sa.CheckConstraint(STATUS, name=op.f("ck_reviews_status")),
        sa.CheckConstraint("helpful_count >= 0 AND not_helpful_count >= 0", name=op.f("ck_reviews_counts")),
        sa.PrimaryKeyConstraint("product_id", "created_at", "review_id", name=op.f("pk_reviews")),
        postgresql_partition_by="RANGE (created_at)",
    )
    for name, column in (("helpful", "helpfulness"), ("rating", "rating")):
        columns = ["product_id", column, "created_at", "review_id"]
        op.create_index(f"ix_reviews_{name}", "reviews", columns, postgresql_where=PUBLISHED)
    op.execute(MONTHS)
    op.create_table(
        "reviews_by_user",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("verified_purchase", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("text_digest", sa.String(32), nullable=False),
        sa.Column("origin", sa.String(10), server_default=sa.text("'native'"), nullable=False),
        _at("created_at", default=False),
        _at("updated_at"),
        sa.CheckConstraint(RATING, name=op.f("ck_reviews_by_user_rating")),
        sa.CheckConstraint(STATUS, name=op.f("ck_reviews_by_user_status")),
        _user_key(),
        _product_key(),
        sa.PrimaryKeyConstraint("user_id", "product_id", name=op.f("pk_reviews_by_user")),
        sa.UniqueConstraint("review_id", name=op.f("uq_reviews_by_user_review_id")),
    )
    op.create_index("ix_reviews_by_user_newest", "reviews_by_user", ["user_id", "created_at", "review_id"])
    op.create_index("ix_reviews_by_user_stars", "reviews_by_user", ["product_id", "status", "rating"])
    op.create_index("ix_reviews_by_user_text", "reviews_by_user", ["text_digest"])
    op.create_table(
        "review_versions",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.String(150), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("images", sa.ARRAY(sa.String(41)), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        _at("created_at"),
        sa.CheckConstraint(RATING, name=op.f("ck_review_versions_rating")),
        _review_key(),
        sa.PrimaryKeyConstraint("review_id", "version", name=op.f("pk_review_versions")),
    )
    op.create_table(
        "review_votes",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("helpful", sa.Boolean(), nullable=False),
        _at("created_at"),
        _at("updated_at"),
        _review_key(),
        _user_key(),
        sa.PrimaryKeyConstraint("review_id", "user_id", name=op.f("pk_review_votes")),
    )
    op.create_index(op.f("ix_review_votes_user_id"), "review_votes", ["user_id"])
    op.create_table(
        "review_answers",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _at("created_at"),
        _at("edited_at", default=False, nullable=True),
        _review_key(),
        _user_key("seller_id"),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_review_answers")),
    )
    op.create_index(op.f("ix_review_answers_seller_id"), "review_answers", ["seller_id"])
    op.create_table(
        "review_reports",
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        _at("created_at"),
        sa.CheckConstraint(
            "reason IN ('spam', 'abuse', 'personal_data', 'off_topic', 'paid', 'other')",
            name=op.f("ck_review_reports_reason"),
        ),
        _review_key(),
        _user_key(),
        sa.PrimaryKeyConstraint("review_id", "user_id", name=op.f("pk_review_reports")),
    )
    op.create_index(op.f("ix_review_reports_user_id"), "review_reports", ["user_id"])
    counters = [f"stars_{stars}" for stars in range(1, 6)]
    op.create_table(
        "product_ratings",
        sa.Column("product_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default=ZERO, nullable=False) for name in counters),
        sa.Column("average_rating", sa.Numeric(3, 2), server_default=ZERO, nullable=False),
        sa.Column("review_count", sa.Integer(), server_default=ZERO, nullable=False),
        _at("updated_at"),
        sa.CheckConstraint(" AND ".join(f"{name} >= 0" for name in counters), name=op.f("ck_product_ratings_counts")),
        _product_key(),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product_ratings")),
    )
    op.create_table(
        "review_requests",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("order_item_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        _at("due_at", default=False),
        sa.Column("status", sa.String(10), server_default=sa.text("'due'"), nullable=False),
        sa.Column("reason", sa.String(20), nullable=True),
        _at("created_at"),
        sa.CheckConstraint("status IN ('due', 'sent', 'skipped')", name=op.f("ck_review_requests_status")),
        sa.ForeignKeyConstraint(["order_item_id"], ["order_items.order_item_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_review_requests")),
        sa.UniqueConstraint("order_item_id", name=op.f("uq_review_requests_order_item_id")),
        sa.UniqueConstraint("order_id", "product_id", name=op.f("uq_review_requests_order_id_product_id")),
    )
    due = sa.text("status = 'due'")
    op.create_index("ix_review_requests_due", "review_requests", ["due_at"], postgresql_where=due)
    op.create_table(
        "review_opt_outs",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _at("created_at"),
        _user_key(),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_review_opt_outs")),
    )
