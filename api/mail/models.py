"""The table of mails: one row per mail, from its event to its delivery."""

from sqlalchemy import CheckConstraint, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import PII, CreatedAt, Id, Instant, Json
from api.kernel.db import Base


class Mail(Base):
    """`mail_id` is the id of the event that caused it, so that an event that is read twice makes one mail.

    It is also the Message-ID, so that a mail that is sent twice is one to its reader.
    """

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'sent', 'failed')", name="status"),
        Index("ix_mails_due", "priority", "next_attempt_at", postgresql_where=text("status = 'queued'")),
        Index("ix_mails_done", "created_at", postgresql_where=text("status <> 'queued'")),
    )
    __unpublished__ = True

    mail_id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(50))
    recipient: Mapped[str] = mapped_column(String(255), info=PII)
    data: Mapped[Json] = mapped_column(info=PII)
    priority: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[str] = mapped_column(String(20), server_default=text("'queued'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[Instant] = mapped_column(server_default=text("now()"))
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[Instant | None]
