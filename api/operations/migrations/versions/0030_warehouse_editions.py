"""Processes keep the warehouses: each change of one gives the table another edition, which says what they keep is old."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

# Random, so that no two states ever have the same. A transaction that is rolled back leaves the edition as it was.
_TRIGGER = """
CREATE FUNCTION new_warehouse_edition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO warehouse_editions (edition) VALUES (gen_random_uuid())
    ON CONFLICT (latest) DO UPDATE SET edition = excluded.edition;
    RETURN NULL;
END $$;
CREATE TRIGGER warehouses_edited AFTER INSERT OR DELETE ON warehouses
    FOR EACH ROW EXECUTE FUNCTION new_warehouse_edition();
CREATE TRIGGER warehouses_edited_anew AFTER UPDATE ON warehouses
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION new_warehouse_edition();
CREATE TRIGGER warehouses_emptied AFTER TRUNCATE ON warehouses
    FOR EACH STATEMENT EXECUTE FUNCTION new_warehouse_edition();
INSERT INTO warehouse_editions (edition) VALUES (gen_random_uuid())
"""


def upgrade() -> None:
    op.create_table(
        "warehouse_editions",
        sa.Column("latest", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("edition", sa.Uuid(), nullable=False),
        sa.CheckConstraint("latest", name=op.f("ck_warehouse_editions_latest")),
        sa.PrimaryKeyConstraint("latest", name=op.f("pk_warehouse_editions")),
    )
    op.execute(_TRIGGER)
