"""The tables of licence keys."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import FREE_TEXT, CreatedAt, Id, Instant
from api.kernel.db import Base


class LicenceKey(Base):
    """A key of a variant's pool, encrypted; `digest` is equal for equal keys. It is of one order line, once, or was
    withdrawn and is nobody's for ever."""

    __tablename__ = "licence_keys"
    __table_args__ = (
        CheckConstraint("(order_item_id IS NULL) = (delivered_at IS NULL)", name="delivered"),
        CheckConstraint("withdrawal_id IS NULL OR order_item_id IS NULL", name="withdrawn"),
        Index("uq_licence_keys_digest", "variant_id", "digest", unique=True),
        Index(
            "ix_licence_keys_pool",
            "variant_id",
            "key_id",
            postgresql_where=text("order_item_id IS NULL AND withdrawal_id IS NULL"),
        ),
        Index("ix_licence_keys_withdrawal", "withdrawal_id", postgresql_where=text("withdrawal_id IS NOT NULL")),
        Index("ix_licence_keys_line", "order_item_id", postgresql_where=text("order_item_id IS NOT NULL")),
    )
    __unpublished__ = True

    key_id: Mapped[Id]
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    order_item_id: Mapped[UUID | None] = mapped_column(ForeignKey("order_items.order_item_id"))
    delivered_at: Mapped[Instant | None]
    withdrawal_id: Mapped[UUID | None] = mapped_column(ForeignKey("key_withdrawals.withdrawal_id"))
    created_at: Mapped[CreatedAt]


class KeyWithdrawal(Base):
    """Who took how many keys out of a pool, when and why."""

    __tablename__ = "key_withdrawals"
    __table_args__ = (
        CheckConstraint("keys > 0", name="keys"),
        Index("ix_key_withdrawals_variant", "variant_id", "created_at"),
    )
    __unpublished__ = True
    __append_only__ = AppendOnly()

    withdrawal_id: Mapped[Id]
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"))
    withdrawn_by: Mapped[UUID]
    keys: Mapped[int]
    reason: Mapped[str | None] = mapped_column(String(500), info=FREE_TEXT)
    created_at: Mapped[CreatedAt]
