"""Tables of the cart; a guest's cart is found by session, a member's by user."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import SECRET, CreatedAt, Id, Instant, Money, UpdatedAt
from api.kernel.db import Base


class Cart(Base):
    """`claimed_by`: the checkout that is ordering the cart; no other may. `ordered_by`: the last order of it, after
    which it had `ordered_version`."""

    __tablename__ = "carts"
    __table_args__ = (
        CheckConstraint("num_nonnulls(user_id, session_id) = 1", name="one_owner"),
        Index("uq_carts_user", "user_id", unique=True, postgresql_where=text("user_id IS NOT NULL")),
        Index("uq_carts_session", "session_id", unique=True, postgresql_where=text("session_id IS NOT NULL")),
    )

    cart_id: Mapped[Id]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"))
    session_id: Mapped[str | None] = mapped_column(String(255), info=SECRET)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    claimed_by: Mapped[UUID | None]
    ordered_by: Mapped[UUID | None]
    ordered_version: Mapped[int | None]
    # The buyer's codes, with a space between two.
    coupons: Mapped[str | None] = mapped_column(String(300), info=SECRET)
    expires_at: Mapped[Instant] = mapped_column(index=True)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class CartItem(Base):
    """`price_at_addition`: when the line was added. `price_seen`: what the buyer has since been shown as changed."""

    __tablename__ = "cart_items"
    __table_args__ = (
        UniqueConstraint("cart_id", "variant_id"),
        CheckConstraint("quantity > 0", name="quantity"),
    )

    cart_item_id: Mapped[Id]
    cart_id: Mapped[UUID] = mapped_column(ForeignKey("carts.cart_id", ondelete="CASCADE"))
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id"))
    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"), index=True)
    quantity: Mapped[int] = mapped_column(server_default=text("1"))
    price_at_addition: Mapped[Money]
    price_seen: Mapped[Money | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
