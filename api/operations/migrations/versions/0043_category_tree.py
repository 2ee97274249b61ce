"""Categories can be renamed, moved, merged and taken out of the tree; their old paths lead to where they are."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("categories", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.add_column("categories", sa.Column("removed_at", _MOMENT, nullable=True))
    op.add_column("categories", sa.Column("updated_at", _MOMENT, nullable=True))
    # Not the moment of the migration: the search index would read every product again.
    op.execute("UPDATE categories SET updated_at = created_at")
    op.alter_column("categories", "updated_at", nullable=False, server_default=sa.text("now()"))
    op.create_foreign_key(
        op.f("fk_categories_merged_into_categories"), "categories", "categories", ["merged_into"], ["category_id"]
    )
    op.create_index(op.f("ix_categories_merged_into"), "categories", ["merged_into"])
    op.create_check_constraint(
        op.f("ck_categories_merged_into"), "categories", "merged_into IS NULL OR removed_at IS NOT NULL"
    )
    op.drop_constraint(op.f("uq_categories_path"), "categories")
    op.create_index(
        "uq_categories_path", "categories", ["path"], unique=True, postgresql_where=sa.text("removed_at IS NULL")
    )
    op.create_table(
        "category_redirects",
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.category_id"], name=op.f("fk_category_redirects_category_id_categories")
        ),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_category_redirects")),
    )
    op.create_index(op.f("ix_category_redirects_category_id"), "category_redirects", ["category_id"])
