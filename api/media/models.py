"""Tables of pictures."""

from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, CreatedAt, Instant
from api.kernel.db import Base


class Picture(Base):
    """A picture whose objects are in the store: they were put there before this row was committed.

    `width` and `height` of the largest size. `kept`: something that never ends shows it, such as an order's line.
    `perceptual_hash`, and its `bands` by which alike pictures are found: null for one that shows too little, or that
    was taken in before there were any.
    """

    __tablename__ = "pictures"
    __table_args__ = (
        CheckConstraint("width > 0 AND height > 0 AND bytes > 0", name="measures"),
        Index("ix_pictures_unkept", "created_at", postgresql_where=text("NOT kept")),
        # Without a list of what is to be sorted in later: whoever searches would read all of it.
        Index("ix_pictures_bands", "bands", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )
    __unpublished__ = True

    name: Mapped[str] = mapped_column(String(41), primary_key=True, info=NOT_PERSONAL)
    # Whoever sends the same content gets the same picture.
    digest: Mapped[str] = mapped_column(String(32), unique=True, info=NOT_PERSONAL)
    media_type: Mapped[str] = mapped_column(String(30), info=NOT_PERSONAL)
    bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    blur: Mapped[str] = mapped_column(Text, info=NOT_PERSONAL)
    perceptual_hash: Mapped[int | None] = mapped_column(BigInteger)
    bands: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    kept: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]


class PictureUse(Base):
    """Who shows a picture: the owner's kind and id. `released_at`: since when the owner shows it no longer."""

    __tablename__ = "picture_uses"
    __table_args__ = (
        CheckConstraint("owner_kind IN ('product', 'review')", name="owner_kind"),
        Index("ix_picture_uses_owner", "owner_id", "owner_kind"),
    )
    __unpublished__ = True

    name: Mapped[str] = mapped_column(ForeignKey("pictures.name"), primary_key=True)
    owner_kind: Mapped[str] = mapped_column(String(20), primary_key=True, info=NOT_PERSONAL)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    released_at: Mapped[Instant | None]
