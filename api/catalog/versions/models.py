"""The tables of versions, and of what variants have cost."""

from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import NOT_PERSONAL, Instant, Json, Money
from api.kernel.db import Base


class ProductVersion(Base):
    """A product as one change left it. `version` is the product's; a save that changes nothing of `body` and `media`,
    such as one of stock, keeps none, so numbers are left out.

    `body`: what PUT takes, less what has its default. `media`: what is said of the pictures in it, their texts and
    variants. `safety`: a Safety body, empty where there is none, null in versions that were kept without it. `fields`:
    those of all three that differ from the version before, by their names on the wire.
    """

    __tablename__ = "product_versions"
    __table_args__ = (
        CheckConstraint("author_kind IN ('seller', 'admin', 'service', 'schedule')", name="author_kind"),
        CheckConstraint("action IN ('known', 'created', 'changed', 'restored', 'deleted')", name="action"),
        CheckConstraint("(restored_from IS NOT NULL) = (action = 'restored')", name="restored_from"),
    )
    __append_only__ = AppendOnly(goes_with="product_id")
    __unpublished__ = True

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[Instant]
    author_kind: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    author_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    restored_from: Mapped[int | None]
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text), info=NOT_PERSONAL)
    body: Mapped[Json]
    media: Mapped[Json]
    safety: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))


class PriceChange(Base):
    """What a variant costs from then on, whether by its own price or its product's. The first row of a variant that is
    older than its price's history says since when there is a variant."""

    __tablename__ = "price_changes"
    __append_only__ = AppendOnly(goes_with="variant_id")
    __unpublished__ = True

    variant_id: Mapped[UUID] = mapped_column(
        ForeignKey("product_variants.variant_id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[Instant] = mapped_column(primary_key=True)
    price: Mapped[Money]
