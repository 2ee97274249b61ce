"""Synonyms of searches, and what administrators decided about them."""

import sqlalchemy as sa
from alembic import op

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None

COUNTS = ("searches", "shoppers", "products", "sellers")


def upgrade() -> None:
    op.create_table(
        "search_synonyms",
        sa.Column("synonym_id", sa.Uuid(), nullable=False),
        sa.Column("word", sa.String(100, collation="C"), nullable=False),
        sa.Column("synonym", sa.String(100, collation="C"), nullable=False),
        sa.Column("language", sa.String(35), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False) for name in COUNTS),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('suggested', 'accepted', 'refused', 'removed')", name=op.f("ck_search_synonyms_state")
        ),
        sa.CheckConstraint("source IN ('log', 'catalog', 'person')", name=op.f("ck_search_synonyms_source")),
        sa.CheckConstraint("word < synonym", name=op.f("ck_search_synonyms_order")),
        sa.PrimaryKeyConstraint("synonym_id", name=op.f("pk_search_synonyms")),
    )
    op.create_index(
        "ux_search_synonyms_pair",
        "search_synonyms",
        ["word", "synonym", "language"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_search_synonyms_state", "search_synonyms", ["state", "synonym_id"])
    op.create_table(
        "search_synonym_decisions",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("synonym_id", sa.Uuid(), nullable=False),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "decision IN ('accepted', 'refused', 'removed')", name=op.f("ck_search_synonym_decisions_decision")
        ),
        sa.ForeignKeyConstraint(
            ["synonym_id"],
            ["search_synonyms.synonym_id"],
            name=op.f("fk_search_synonym_decisions_synonym_id_search_synonyms"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.user_id"], name=op.f("fk_search_synonym_decisions_decided_by_users")
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_search_synonym_decisions")),
    )
    op.create_index("ix_search_synonym_decisions_synonym", "search_synonym_decisions", ["synonym_id", "decision_id"])
    op.create_index("ix_search_synonym_decisions_decided_by", "search_synonym_decisions", ["decided_by"])
