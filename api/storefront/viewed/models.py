"""The table of members who want no list of what they looked at."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import CreatedAt
from api.kernel.db import Base


class UnwatchedMember(Base):
    """Nothing is kept of what this member looks at. A guest's choice is in Redis alone, as the guest's list is."""

    __tablename__ = "unwatched_members"
    __unpublished__ = True

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[CreatedAt]
