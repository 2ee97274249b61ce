"""Tables of stores: a seller's public profile, and who the seller is by law. The account is a row of `users`."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, PII, CreatedAt, Origin, UpdatedAt
from api.kernel.db import Base


class Seller(Base):
    __tablename__ = "sellers"
    __table_args__ = (CheckConstraint("rating BETWEEN 0 AND 5", name="rating"),)

    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), info=NOT_PERSONAL)
    country: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    # The average over the published reviews of its products, 0 without any; it follows them by event.
    rating: Mapped[Decimal] = mapped_column(Numeric(3, 2), server_default=text("0"))
    verified: Mapped[bool] = mapped_column(server_default=text("false"))
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class SellerProfile(Base):
    """What a seller says of the store. `contact`: a TraderData as JSON, public for a trader alone."""

    __tablename__ = "seller_profiles"
    __table_args__ = (CheckConstraint("contact IS NOT NULL OR NOT trader", name="contact"),)
    __unpublished__ = True

    seller_id: Mapped[UUID] = mapped_column(ForeignKey("sellers.seller_id"), primary_key=True)
    about: Mapped[str | None] = mapped_column(Text)
    policies: Mapped[dict[str, object]] = mapped_column(JSONB, server_default=text("'{}'"))
    trader: Mapped[bool]
    contact: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True), info=PII)
    safety_contact: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True), info=PII)
    updated_at: Mapped[UpdatedAt]
