"""The table of licence keys."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import CreatedAt, Id, Instant
from api.kernel.db import Base


class LicenceKey(Base):
    """A key of a variant's pool, encrypted; `digest` is equal for equal keys. It is of one order line, once."""

    __tablename__ = "licence_keys"
    __table_args__ = (
        CheckConstraint("(order_item_id IS NULL) = (delivered_at IS NULL)", name="delivered"),
        Index("uq_licence_keys_digest", "variant_id", "digest", unique=True),
        Index("ix_licence_keys_pool", "variant_id", "key_id", postgresql_where=text("order_item_id IS NULL")),
        Index("ix_licence_keys_line", "order_item_id", postgresql_where=text("order_item_id IS NOT NULL")),
    )
    __unpublished__ = True

    key_id: Mapped[Id]
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    order_item_id: Mapped[UUID | None] = mapped_column(ForeignKey("order_items.order_item_id"))
    delivered_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
