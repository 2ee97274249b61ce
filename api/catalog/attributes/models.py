"""The table of attribute definitions."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import CreatedAt
from api.kernel.db import Base


class AttributeDefinition(Base):
    """An attribute of the products of a category and of those below it, unless one of these defines it itself."""

    __tablename__ = "attribute_definitions"
    __table_args__ = (
        CheckConstraint("type IN ('text', 'number', 'boolean', 'enum', 'date')", name="type"),
        CheckConstraint("unit IS NULL OR type = 'number'", name="unit"),
        CheckConstraint("(jsonb_array_length(allowed_values) > 0) = (type = 'enum')", name="allowed_values"),
    )
    __unpublished__ = True

    category_id: Mapped[UUID] = mapped_column(ForeignKey("categories.category_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    position: Mapped[int]
    label: Mapped[str] = mapped_column(String(100))
    type: Mapped[str] = mapped_column(String(10))
    unit: Mapped[str | None] = mapped_column(String(20))
    allowed_values: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    required: Mapped[bool] = mapped_column(server_default=text("false"))
    variant_axis: Mapped[bool] = mapped_column(server_default=text("false"))
    facet: Mapped[bool] = mapped_column(server_default=text("false"))
    # By language; null where there are none.
    labels: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[CreatedAt]
