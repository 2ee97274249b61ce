"""Tables of users, addresses and refresh tokens."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, PII, SECRET, CreatedAt, Id, Instant, Origin, UpdatedAt
from api.kernel.db import Base


class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("user_type IN ('customer', 'seller', 'admin')", name="user_type"),
        CheckConstraint("status IN ('active', 'suspended')", name="status"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    user_id: Mapped[Id]
    email: Mapped[str] = mapped_column(String(255), unique=True, info=PII)
    password_hash: Mapped[str] = mapped_column(String(255), info=SECRET)
    name: Mapped[str] = mapped_column(String(255), info=PII)
    phone: Mapped[str | None] = mapped_column(String(20), info=PII)
    user_type: Mapped[str] = mapped_column(String(20), server_default=text("'customer'"), info=NOT_PERSONAL)
    prime_member: Mapped[bool] = mapped_column(server_default=text("false"))
    prime_expiry: Mapped[Instant | None]
    status: Mapped[str] = mapped_column(String(20), server_default=text("'active'"), info=NOT_PERSONAL)
    session_version: Mapped[int] = mapped_column(server_default=text("1"))
    origin: Mapped[Origin]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Address(Base):
    __tablename__ = "addresses"
    __table_args__ = (Index("uq_addresses_default", "user_id", unique=True, postgresql_where=text("is_default")),)
    __unpublished__ = True

    address_id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    address_type: Mapped[str | None] = mapped_column(String(20))
    street: Mapped[str] = mapped_column(String(500), info=PII)
    city: Mapped[str] = mapped_column(String(100), info=PII)
    state: Mapped[str] = mapped_column(String(100), info=PII)
    zip_code: Mapped[str] = mapped_column(String(20), info=PII)
    country: Mapped[str] = mapped_column(String(100))
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]


class RefreshToken(Base):
    """Opaque 256-bit tokens, stored as SHA-256. A second use of a token revokes its whole family."""

    __tablename__ = "refresh_tokens"
    __unpublished__ = True

    token_hash: Mapped[bytes] = mapped_column(primary_key=True, info=SECRET)
    family_id: Mapped[UUID] = mapped_column(index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[Instant] = mapped_column(index=True)
    used_at: Mapped[Instant | None]
    revoked_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
