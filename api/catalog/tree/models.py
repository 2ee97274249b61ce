"""The table of former addresses of categories."""

from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import CreatedAt
from api.kernel.db import Base


class CategoryRedirect(Base):
    """A path, in small letters, that a category once had. A category that has the path now goes before it."""

    __tablename__ = "category_redirects"
    __unpublished__ = True

    path: Mapped[str] = mapped_column(String(1000), primary_key=True)
    category_id: Mapped[UUID] = mapped_column(ForeignKey("categories.category_id"), index=True)
    created_at: Mapped[CreatedAt]
