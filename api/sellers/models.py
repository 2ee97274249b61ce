"""The public profile of a seller; the account is a row of `users`."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, CreatedAt, Origin, UpdatedAt
from api.kernel.db import Base


class Seller(Base):
    __tablename__ = "sellers"
    __table_args__ = (CheckConstraint("rating BETWEEN 0 AND 5", name="rating"),)

    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), info=NOT_PERSONAL)
    country: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    rating: Mapped[Decimal] = mapped_column(Numeric(3, 2), server_default=text("0"))
    verified: Mapped[bool] = mapped_column(server_default=text("false"))
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
