"""Tables of bulk jobs: one row per file, and one per row of it that was read."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import CreatedAt, Id, Instant, UpdatedAt
from api.kernel.db import Base

OPEN = "state IN ('queued', 'running')"


class BulkJob(Base):
    """A file of products and how far it has been read.

    `at_byte`, `at_row` and `at_line` are the place in the file after the last row that counts; they, the counts and the
    rows of `bulk_rows` change in the commit of what the rows change. `worked_ms`: how long it was worked on.
    """

    __tablename__ = "bulk_jobs"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
        CheckConstraint("format IN ('csv', 'jsonl')", name="format"),
        CheckConstraint("(finished_at IS NULL) = (state IN ('queued', 'running'))", name="finished"),
        Index("ix_bulk_jobs_seller", "seller_id", "created_at"),
        Index("ix_bulk_jobs_open", "updated_at", postgresql_where=text(OPEN)),
    )
    __unpublished__ = True

    job_id: Mapped[Id]
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("users.user_id"))
    format: Mapped[str] = mapped_column(String(10))
    file_name: Mapped[str | None] = mapped_column(String(255))
    dry_run: Mapped[bool]
    state: Mapped[str] = mapped_column(String(20), server_default=text("'queued'"))
    error: Mapped[str | None] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    at_byte: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    at_row: Mapped[int] = mapped_column(server_default=text("0"))
    at_line: Mapped[int] = mapped_column(server_default=text("0"))
    rows: Mapped[int] = mapped_column(server_default=text("0"))
    created: Mapped[int] = mapped_column(server_default=text("0"))
    updated: Mapped[int] = mapped_column(server_default=text("0"))
    unchanged: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    worked_ms: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    lease_token: Mapped[UUID | None]
    leased_until: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[Instant | None]
    updated_at: Mapped[UpdatedAt]
    finished_at: Mapped[Instant | None]


class BulkRow(Base):
    """What became of one row: a line of the report. `row` counts from 1, with the first row of the file.

    `sku` in small letters and `tie` are found again when a later row of the file names them too.
    """

    __tablename__ = "bulk_rows"
    __table_args__ = (
        CheckConstraint("result IN ('created', 'updated', 'unchanged', 'failed')", name="result"),
        Index("ix_bulk_rows_sku", "job_id", func.lower(text("sku"))),
        Index("ix_bulk_rows_tie", "job_id", "tie", postgresql_where=text("tie IS NOT NULL")),
    )
    __unpublished__ = True

    job_id: Mapped[UUID] = mapped_column(ForeignKey("bulk_jobs.job_id", ondelete="CASCADE"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str | None] = mapped_column(String(100))
    tie: Mapped[str | None] = mapped_column(String(200))
    result: Mapped[str] = mapped_column(String(10))
    findings: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)  # Any: JSON
