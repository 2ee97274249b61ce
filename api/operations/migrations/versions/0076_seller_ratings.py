"""Ratings of sellers: the average over the published reviews of their products."""

import sqlalchemy as sa
from alembic import op

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

STARS = " + ".join(f"{n} * r.stars_{n}" for n in range(1, 6))
COUNT = f"""
    INSERT INTO seller_ratings (seller_id, stars, review_count)
    SELECT p.seller_id, sum({STARS}), sum(r.review_count) FROM product_ratings r JOIN products p USING (product_id)
    GROUP BY p.seller_id
"""  # noqa: S608 - constants
# No seller had a rating before.
RATE = """
    UPDATE sellers s SET rating = round(r.stars::numeric / r.review_count, 2), updated_at = now()
    FROM seller_ratings r WHERE r.seller_id = s.seller_id AND r.review_count > 0
"""


def upgrade() -> None:
    op.create_table(
        "seller_ratings",
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("stars", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("review_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["users.user_id"], name=op.f("fk_seller_ratings_seller_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seller_id", name=op.f("pk_seller_ratings")),
    )
    op.execute(COUNT)
    op.execute(RATE)
