"""Tables of files that are sold, and of who may download them."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import CreatedAt, Instant, UpdatedAt
from api.kernel.db import Base


class DigitalFile(Base):
    """The file of a variant, as it is now; `object_key`: in the store of objects, another one for each upload."""

    __tablename__ = "digital_files"
    __table_args__ = (CheckConstraint("bytes > 0", name="bytes"),)
    __unpublished__ = True

    variant_id: Mapped[UUID] = mapped_column(ForeignKey("product_variants.variant_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    object_key: Mapped[str] = mapped_column(String(100), unique=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class DownloadRight(Base):
    """How often the buyer of a line may have its file, and until when."""

    __tablename__ = "download_rights"
    __table_args__ = (CheckConstraint("used BETWEEN 0 AND most", name="used"),)
    __unpublished__ = True

    order_item_id: Mapped[UUID] = mapped_column(ForeignKey("order_items.order_item_id"), primary_key=True)
    most: Mapped[int]
    used: Mapped[int] = mapped_column(server_default=text("0"))
    ends_at: Mapped[Instant]
    created_at: Mapped[CreatedAt]
