"""The one table of behaviour events: how far each consumer of the stream has got. The events themselves go to the lake,
not here."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import UpdatedAt
from api.kernel.db import Base


class StreamPosition(Base):
    """Moves in the same transaction as the consumer's effect, so that a batch counts once whatever dies in between."""

    __tablename__ = "stream_positions"
    __unpublished__ = True

    consumer: Mapped[str] = mapped_column(String(100), primary_key=True)
    last_id: Mapped[str] = mapped_column(String(50))
    updated_at: Mapped[UpdatedAt]
