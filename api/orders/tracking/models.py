"""The table of scans."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.append_only import AppendOnly
from api.kernel.columns import NOT_PERSONAL, PII, CreatedAt, Instant
from api.kernel.db import Base
from api.shipping.scans import SCAN_KINDS

_KINDS = ", ".join(f"'{kind}'" for kind in SCAN_KINDS)


class ParcelScan(Base):
    """One event of a carrier, as it was sent, known by the carrier's id of it.

    It is kept whether its parcel is known or not; `tracking_id` stands for carrier and tracking number, as in
    `parcel_labels`.
    """

    __tablename__ = "parcel_scans"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind"),
        Index("ix_parcel_scans_tracking", "tracking_id", "occurred_at"),
    )
    __append_only__ = AppendOnly()

    carrier: Mapped[str] = mapped_column(String(20), primary_key=True, info=NOT_PERSONAL)
    event_id: Mapped[str] = mapped_column(String(100), primary_key=True, info=NOT_PERSONAL)
    tracking_id: Mapped[UUID]
    tracking_number: Mapped[str] = mapped_column(String(100), info=PII)
    kind: Mapped[str] = mapped_column(String(20), info=NOT_PERSONAL)
    occurred_at: Mapped[Instant]
    # Where it was scanned may say where somebody lives.
    place: Mapped[str | None] = mapped_column(String(200), info=PII)
    note: Mapped[str | None] = mapped_column(String(200), info=PII)
    created_at: Mapped[CreatedAt]
