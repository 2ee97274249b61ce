"""The table of what kits are made of."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.db import Base


class KitComponent(Base):
    """`units` of another variant that one unit of a kit's variant is made of; in the order of `position` from 0."""

    __tablename__ = "kit_components"
    __table_args__ = (
        CheckConstraint("units BETWEEN 1 AND 999", name="units"),
        CheckConstraint("component_id <> variant_id", name="component"),
        Index("ix_kit_components_component_id", "component_id"),
    )
    __unpublished__ = True

    variant_id: Mapped[UUID] = mapped_column(
        ForeignKey("product_variants.variant_id", ondelete="CASCADE"), primary_key=True
    )
    component_id: Mapped[UUID] = mapped_column(
        ForeignKey("product_variants.variant_id", ondelete="CASCADE"), primary_key=True
    )
    units: Mapped[int]
    position: Mapped[int]
