"""A seller's bulk jobs and the rows of their reports."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, bindparam, func, select

from api.bulk.errors import BulkJobNotFound
from api.bulk.files.records import Format
from api.bulk.models import BulkJob, BulkRow
from api.bulk.schemas import BulkJobBody, State
from api.catalog.pictures.queries import AwaitedCounts, Failure, awaited_counts, failures_of
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams

_SHOWN = (
    BulkJob.job_id, BulkJob.state, BulkJob.format, BulkJob.file_name, BulkJob.dry_run, BulkJob.error, BulkJob.bytes,
    BulkJob.at_byte, BulkJob.rows, BulkJob.created, BulkJob.updated, BulkJob.unchanged, BulkJob.failed,
    BulkJob.worked_ms, BulkJob.created_at, BulkJob.started_at, BulkJob.finished_at,
)  # fmt: skip
_OWN = BulkJob.seller_id == bindparam("seller_id")
_JOBS = (
    select(*_SHOWN)
    .where(_OWN)
    .order_by(BulkJob.created_at.desc())
    .limit(bindparam("take", type_=Integer))
    .offset(bindparam("skip", type_=Integer))
)
_COUNT = select(func.count()).select_from(BulkJob).where(_OWN)
_JOB = select(*_SHOWN).where(_OWN, BulkJob.job_id == bindparam("job_id"))
_REPORT = (
    select(BulkRow.row, BulkRow.sku, BulkRow.result, BulkRow.findings)
    .join(BulkJob, BulkJob.job_id == BulkRow.job_id)
    .where(_OWN, BulkRow.job_id == bindparam("job_id"), BulkRow.row > bindparam("after"))
    .order_by(BulkRow.row)
    .limit(bindparam("take", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class _Shown:
    job_id: UUID
    state: State
    format: Format
    file_name: str | None
    dry_run: bool
    error: str | None
    bytes: int
    at_byte: int
    rows: int
    created: int
    updated: int
    unchanged: int
    failed: int
    worked_ms: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    def body(self, images: AwaitedCounts | None) -> BulkJobBody:
        done = self.state == "done" or not self.bytes
        return BulkJobBody(
            job_id=self.job_id,
            state=self.state,
            format=self.format,
            file_name=self.file_name,
            dry_run=self.dry_run,
            error=self.error,
            bytes=self.bytes,
            progress=1.0 if done else round(min(self.at_byte / self.bytes, 1), 4),
            rows=self.rows,
            created=self.created,
            updated=self.updated,
            unchanged=self.unchanged,
            failed=self.failed,
            rows_per_second=round(self.rows * 1_000 / self.worked_ms, 1) if self.worked_ms else None,
            images_pending=0 if images is None else images.pending,
            images_failed=0 if images is None else images.failed,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            report=f"/api/v1/products/bulk/{self.job_id}/report",
        )


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A row of a file and what became of it; each of `findings` has a field, a message and a fix."""

    row: int
    sku: str | None
    result: str
    findings: list[dict[str, Any]] | None  # Any: JSON


async def jobs_of(tx: ReadTx, actor: Actor, page: PageParams) -> tuple[list[BulkJobBody], int]:
    """The actor's jobs of that page, newest first, and how many there are."""
    asked = {"seller_id": actor.user_id, "skip": page.offset, "take": page.limit}
    rows = await tx.all_as(_Shown, _JOBS, asked)
    images = await awaited_counts(tx, actor, [row.job_id for row in rows])
    return [row.body(images.get(row.job_id)) for row in rows], await tx.scalar(_COUNT, {"seller_id": actor.user_id})


async def job_of(tx: ReadTx, actor: Actor, job_id: UUID) -> BulkJobBody:
    """Raises: BulkJobNotFound, also for another seller's."""
    row = await tx.first_as(_Shown, _JOB, {"seller_id": actor.user_id, "job_id": job_id})
    if row is None:
        raise BulkJobNotFound("You have no bulk job with this id.")
    images = await awaited_counts(tx, actor, [job_id])
    return row.body(images.get(job_id))


async def report_of(tx: ReadTx, actor: Actor, job_id: UUID, after: int, take: int) -> Sequence[ReportRow]:
    """The next rows of the report after that row, with the pictures of theirs that could not be fetched."""
    asked = {"seller_id": actor.user_id, "job_id": job_id, "after": after, "take": take}
    rows = await tx.all_as(ReportRow, _REPORT, asked)
    failures = await failures_of(tx, actor, job_id, rows[0].row, rows[-1].row) if rows else []
    found: dict[int, list[dict[str, Any]]] = {}  # Any: JSON
    for one in failures:
        found.setdefault(one.row, []).append(_finding(one))
    return [replace(row, findings=[*(row.findings or ()), *found.get(row.row, ())]) for row in rows]


def _finding(failure: Failure) -> dict[str, Any]:  # Any: JSON
    message = f"the picture {failure.source} {failure.reason}"
    return {"field": "images", "message": message, "fix": "correct the address, or send it again"}
