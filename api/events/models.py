"""The one table of behaviour events: the position of each consumer of the stream.

The events themselves are stored in the lake.
"""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import UpdatedAt
from api.kernel.db import Base


class StreamPosition(Base):
    """Advances in the same transaction as the consumer's effect, so that a batch counts once, also after a crash."""

    __tablename__ = "stream_positions"
    __unpublished__ = True

    consumer: Mapped[str] = mapped_column(String(100), primary_key=True)
    last_id: Mapped[str] = mapped_column(String(50))
    updated_at: Mapped[UpdatedAt]
