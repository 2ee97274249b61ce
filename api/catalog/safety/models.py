"""The table of product safety data."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import UpdatedAt
from api.kernel.db import Base


class ProductSafety(Base):
    """`data`: a Safety body as JSON."""

    __tablename__ = "product_safety"
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    data: Mapped[dict[str, object]] = mapped_column(JSONB)
    updated_at: Mapped[UpdatedAt]
