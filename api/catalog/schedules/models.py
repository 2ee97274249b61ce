"""The table of scheduled changes."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, Instant, Money
from api.kernel.db import Base


class ScheduledChange(Base):
    """What is to happen to a product at a moment; the row goes in the commit that does it.

    `price`: what the product is to cost from `price_from` on. Of a `price_to` whose price has begun, `price` is what it
    cost before, `since` when it began and `reduced_to` what it costs meanwhile.
    """

    __tablename__ = "scheduled_changes"
    __table_args__ = (
        CheckConstraint("kind IN ('publish', 'unpublish', 'price_from', 'price_to')", name="kind"),
        CheckConstraint("(since IS NULL) = (reduced_to IS NULL)", name="begun"),
    )
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True, info=NOT_PERSONAL)
    at: Mapped[Instant] = mapped_column(index=True)
    price: Mapped[Money | None]
    since: Mapped[Instant | None]
    reduced_to: Mapped[Money | None]
