"""People report products, administrators decide about the reports, and sellers object to a decision."""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "report_decisions",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("seen", sa.String(32), nullable=True),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("contested", sa.Uuid(), nullable=True),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint("decision IN ('keep', 'remove')", name=op.f("ck_report_decisions_decision")),
        sa.CheckConstraint(
            "(contested IS NULL) = (seen IS NOT NULL AND reports > 0)", name=op.f("ck_report_decisions_about")
        ),
        _product("report_decisions"),
        _user("report_decisions", "seller_id"),
        _user("report_decisions", "decided_by"),
        sa.ForeignKeyConstraint(
            ["contested"],
            ["report_decisions.decision_id"],
            name=op.f("fk_report_decisions_contested_report_decisions"),
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_report_decisions")),
        sa.UniqueConstraint("product_id", "seen", name=op.f("uq_report_decisions_product_id_seen")),
        sa.UniqueConstraint("contested", name=op.f("uq_report_decisions_contested")),
    )
    op.create_index("ix_report_decisions_seller", "report_decisions", ["seller_id", "created_at", "decision_id"])
    op.create_index(op.f("ix_report_decisions_decided_by"), "report_decisions", ["decided_by"])
    op.create_table(
        "product_reports",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("reporter", sa.String(64), nullable=False),
        sa.Column("reporter_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(255), nullable=True),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("law", sa.Text(), nullable=True),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint(
            "reason IN ('counterfeit', 'illegal', 'unsafe', 'misleading', 'offensive', 'infringement', 'other')",
            name=op.f("ck_product_reports_reason"),
        ),
        sa.CheckConstraint("email IS NULL OR reporter_id IS NULL", name=op.f("ck_product_reports_email")),
        sa.CheckConstraint("times > 0", name=op.f("ck_product_reports_times")),
        _product("product_reports"),
        sa.ForeignKeyConstraint(
            ["reporter_id"],
            ["users.user_id"],
            name=op.f("fk_product_reports_reporter_id_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["report_decisions.decision_id"],
            name=op.f("fk_product_reports_decision_id_report_decisions"),
        ),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_product_reports")),
    )
    op.create_index(
        "uq_product_reports_open",
        "product_reports",
        ["product_id", "reporter"],
        unique=True,
        postgresql_where=sa.text("decision_id IS NULL"),
    )
    op.create_index("ix_product_reports_product", "product_reports", ["product_id", "report_id"])
    op.create_index("ix_product_reports_reporter", "product_reports", ["reporter", "created_at"])
    op.create_index(
        "ix_product_reports_email",
        "product_reports",
        ["email", "created_at"],
        postgresql_where=sa.text("email IS NOT NULL"),
    )
    op.create_index(op.f("ix_product_reports_reporter_id"), "product_reports", ["reporter_id"])
    op.create_index(op.f("ix_product_reports_decision_id"), "product_reports", ["decision_id"])
    op.create_table(
        "decision_objections",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["report_decisions.decision_id"],
            name=op.f("fk_decision_objections_decision_id_report_decisions"),
        ),
        _product("decision_objections"),
        _user("decision_objections", "seller_id"),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decision_objections")),
    )
    op.create_index("ix_decision_objections_oldest", "decision_objections", ["created_at", "decision_id"])
    op.create_index(op.f("ix_decision_objections_product_id"), "decision_objections", ["product_id"])
    op.create_index(op.f("ix_decision_objections_seller_id"), "decision_objections", ["seller_id"])


def _product(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["product_id"], ["products.product_id"], name=op.f(f"fk_{table}_product_id_products"), ondelete="CASCADE"
    )


def _user(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["users.user_id"], name=op.f(f"fk_{table}_{column}_users"))
