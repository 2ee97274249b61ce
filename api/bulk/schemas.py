"""Bodies of the bulk routes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.bulk.files.records import Format
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire

State = Literal["queued", "running", "done", "failed", "cancelled"]
Result = Literal["created", "updated", "unchanged", "failed"]


class BulkJobBody(Wire):
    """A file of products and how far it has been read.

    `rows` = created + updated + unchanged + failed; in a dry run, what the real one would make of them. `progress` is
    the share of the file's bytes that has been read. `report` is the address of a CSV file with a line for each row.

    `imagesPending`: pictures that it named by their addresses and that are not fetched yet; `imagesFailed`: those that
    could not be, which the report names too.
    """

    job_id: UUID
    state: State
    format: Format
    file_name: str | None
    dry_run: bool
    error: str | None
    bytes: int
    progress: Annotated[float, Field(ge=0, le=1)]
    rows: int
    created: int
    updated: int
    unchanged: int
    failed: int
    rows_per_second: float | None
    images_pending: int
    images_failed: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    report: str = Field(examples=["/api/v1/products/bulk/0190a6e0-0000-7000-8000-000000000000/report"])


class BulkJobList(Wire):
    jobs: list[BulkJobBody]
    pagination: Pagination
