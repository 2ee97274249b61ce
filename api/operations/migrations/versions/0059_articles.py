"""A product says which article it is, and administrators decide about matches.

Products whose variants have a GTIN are what it says from now on; whatever is saved while this runs says it itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")
_CONFIRMED = sa.text("decision = 'confirmed'")
# As `article_of` says it; products that somebody saves meanwhile are locked and say the same.
_PLACE = """
    UPDATE products p SET article_id = CAST(lpad(g.gtin, 32, '0') AS uuid)
    FROM (SELECT product_id, min(gtin) AS gtin FROM product_variants
          WHERE gtin IS NOT NULL AND removed_at IS NULL AND gtin !~ '^.(02|04|2)|^000000[02]'
          GROUP BY product_id) g
    WHERE p.product_id = g.product_id AND p.article_id IS NULL"""


def upgrade() -> None:
    op.add_column("products", sa.Column("article_id", sa.Uuid(), nullable=True), if_not_exists=True)
    for column in (
        sa.Column("decision", sa.String(10), nullable=True),
        sa.Column("article_id", sa.Uuid(), nullable=True),
        sa.Column("other_article_id", sa.Uuid(), nullable=True),
    ):
        op.add_column("offer_matches", column, if_not_exists=True)
    for name, rule in (
        ("ck_offer_matches_decision", "decision IN ('confirmed', 'dismissed')"),
        (
            "ck_offer_matches_articles",
            "(decision IS NOT DISTINCT FROM 'confirmed') = (article_id IS NOT NULL AND other_article_id IS NOT NULL)",
        ),
    ):
        op.drop_constraint(op.f(name), "offer_matches", type_="check", if_exists=True)
        op.create_check_constraint(op.f(name), "offer_matches", rule)
    op.create_table(
        "match_decisions",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("other_product_id", sa.Uuid(), nullable=False),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint(
            "decision IN ('confirmed', 'dismissed', 'undone')", name=op.f("ck_match_decisions_decision")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.product_id"],
            name=op.f("fk_match_decisions_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.user_id"], name=op.f("fk_match_decisions_decided_by_users")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_match_decisions")),
        if_not_exists=True,
    )
    op.create_table(
        "joined_articles",
        sa.Column("article_id", sa.Uuid(), nullable=False),
        sa.Column("joined_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("article_id", name=op.f("pk_joined_articles")),
        if_not_exists=True,
    )
    for name, table, columns, where in (
        ("ix_match_decisions_match", "match_decisions", ["product_id", "other_product_id", "decision_id"], None),
        ("ix_match_decisions_decided_by", "match_decisions", ["decided_by"], None),
        ("ix_joined_articles_joined_id", "joined_articles", ["joined_id"], None),
        ("ix_offer_matches_oldest", "offer_matches", ["created_at", "product_id", "other_product_id"], None),
        ("ix_offer_matches_article_id", "offer_matches", ["article_id"], _CONFIRMED),
        ("ix_offer_matches_other_article_id", "offer_matches", ["other_article_id"], _CONFIRMED),
    ):
        op.create_index(op.f(name), table, columns, postgresql_where=where, if_not_exists=True)
    op.execute(_PLACE)
    with op.get_context().autocommit_block():
        # One that was interrupted is there, and is not valid.
        op.drop_index("ix_products_article", "products", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_products_article",
            "products",
            ["article_id"],
            postgresql_where=sa.text("article_id IS NOT NULL"),
            postgresql_concurrently=True,
        )
