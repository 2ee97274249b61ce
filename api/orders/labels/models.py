"""The table of labels."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, PII, SECRET, CreatedAt, Currency, Id, Instant, Money, UpdatedAt
from api.kernel.db import Base
from api.shipping.scans import CARRIAGES

# A label that the parcel has, or is about to have or to give back.
LIVE_STATES = ("asked", "bought", "cancelling")
LIVE = f"status IN {LIVE_STATES}"
_CARRIAGES = ", ".join(f"'{carriage}'" for carriage in CARRIAGES)


class ParcelLabel(Base):
    """A label of a parcel, or of a return of units that were in it. `asked` is the intent, written before the carrier
    is asked; the carrier's key is made of `label_id`, so asking again buys no second one.

    `tracking_id` stands for carrier and tracking number, as in `parcel_scans`. `carriage`: where the scans that were
    taken into account say that the parcel is. `due`: there may be scans that were not. `promised_on`: the later of the
    carrier's day and the shop's. `watched`: whether silence means that the parcel is lost.
    """

    __tablename__ = "parcel_labels"
    __table_args__ = (
        CheckConstraint("status IN ('asked', 'bought', 'cancelling', 'cancelled', 'refused')", name="status"),
        CheckConstraint(f"carriage IN ({_CARRIAGES})", name="carriage"),
        CheckConstraint("weight_grams > 0 AND price >= 0", name="amounts"),
        CheckConstraint("status IN ('asked', 'refused') OR tracking_id IS NOT NULL", name="tracked"),
        CheckConstraint("(tracking_id IS NULL) = (tracking_number IS NULL)", name="tracking"),
        # A parcel has one label at a time, and so has a return.
        Index(
            "uq_parcel_labels_live",
            "parcel_id",
            unique=True,
            postgresql_where=text(f"return_id IS NULL AND {LIVE}"),
        ),
        Index(
            "uq_parcel_labels_return",
            "return_id",
            unique=True,
            postgresql_where=text(f"return_id IS NOT NULL AND {LIVE}"),
        ),
        Index("ix_parcel_labels_parcel", "parcel_id", "created_at"),
        Index("uq_parcel_labels_tracking", "tracking_id", unique=True),
        Index("ix_parcel_labels_open", "updated_at", postgresql_where=text("status IN ('asked', 'cancelling')")),
        Index("ix_parcel_labels_due", "label_id", postgresql_where=text("due")),
        Index("ix_parcel_labels_watched", "promised_on", postgresql_where=text("watched")),
    )

    label_id: Mapped[Id]
    parcel_id: Mapped[UUID] = mapped_column(ForeignKey("parcels.parcel_id", ondelete="CASCADE"))
    return_id: Mapped[UUID | None] = mapped_column(ForeignKey("returns.return_id", ondelete="CASCADE"))
    carrier: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    service: Mapped[str] = mapped_column(String(50), info=NOT_PERSONAL)
    weight_grams: Mapped[int]
    price: Mapped[Money]
    currency: Mapped[Currency]
    arrives_on: Mapped[date | None]
    promised_on: Mapped[date | None]
    status: Mapped[str] = mapped_column(String(20), server_default=text("'asked'"), info=NOT_PERSONAL)
    # A hash of the idempotency key that asked for it: its repeat is answered with the label that was bought for it.
    asked_by: Mapped[str] = mapped_column(String(64), info=SECRET)
    refusal: Mapped[str | None] = mapped_column(String(50), info=NOT_PERSONAL)
    # Who has the number sees on the carrier's page where the parcel goes.
    tracking_number: Mapped[str | None] = mapped_column(String(100), info=PII)
    tracking_id: Mapped[UUID | None]
    carriage: Mapped[str | None] = mapped_column(String(20), info=NOT_PERSONAL)
    last_scan_at: Mapped[Instant | None]
    due: Mapped[bool] = mapped_column(server_default=text("false"))
    watched: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
