"""The worker's part of bulk jobs: one file at a time, in small chunks, for a second or so at a time.

A seller's files are read in the order in which they came; of several sellers' files, the one that waited longest goes
on. A lease keeps two workers from one file: whoever holds it says so with each chunk, and when nobody has for a while,
another worker goes on after the last chunk.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

from sqlalchemy import Interval, String, Uuid, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from api.bulk.commands import path_of
from api.bulk.files.groups import Group, grouped
from api.bulk.files.records import FileError, Format, table_of
from api.bulk.models import BulkJob
from api.bulk.reading.chunks import Held, LeaseLost, work_off
from api.bulk.reading.planning import Known
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.ids import new_id
from api.kernel.jobs import Bell
from api.kernel.logs import get_logger

log = get_logger(__name__)

# Rows of one transaction: their products are locked until it ends, and shoppers who buy them wait.
CHUNK_ROWS = 100
# Then another file has its turn.
TURN_SECONDS = 1.0
# A file that fails so often without a row read is given up.
MAX_ATTEMPTS = 5
WORK = Bell()


async def read_files(ctx: Context) -> int:
    """Read rows of the file that waited longest; how many rows. Rings when there may be more."""
    job = await _claim(ctx)
    if job is None:
        return 0
    rows = 0
    try:
        rows = await _turn(ctx, job)
    except LeaseLost:
        log.info("a bulk job is no longer this worker's", job=str(job.job_id))
    except (OSError, FileError) as error:
        await _give_up(ctx, job, f"The file cannot be read: {error}. Send it again.")
    WORK.ring()
    return rows


async def _turn(ctx: Context, job: Held) -> int:
    until, rows, known = clock.monotonic() + TURN_SECONDS, 0, Known()
    with path_of(ctx.settings, job.job_id).open("rb") as file:
        table = table_of(file, cast("Format", job.format))
        groups = grouped(table.records(file, job.place))
        following = next(groups, None)
        while True:
            began = clock.monotonic()
            chunk, following = _chunk(following, groups)
            ms = round((clock.monotonic() - began) * 1_000)
            rows += await work_off(ctx, job, chunk, known, last=following is None, ms=ms)
            if following is None:
                path_of(ctx.settings, job.job_id).unlink(missing_ok=True)
                return rows
            if clock.monotonic() > until:
                await ctx.db.once(_LEAVE, {"job_id": job.job_id, "token": job.lease_token})
                return rows
            await asyncio.sleep(0)


def _chunk(first: Group | None, groups: Iterator[Group]) -> tuple[list[Group], Group | None]:
    """Groups of about CHUNK_ROWS rows, and the one after them."""
    chunk: list[Group] = []
    rows = 0
    while first is not None and (not chunk or rows + len(first.rows) <= CHUNK_ROWS):
        chunk.append(first)
        rows += len(first.rows)
        first = next(groups, None)
    return chunk, first


async def _claim(ctx: Context) -> Held | None:
    """Take the job that waited longest, of those that are their seller's oldest."""
    values = {"token": new_id(), "lease": timedelta(seconds=ctx.settings.bulk_lease_seconds)}
    job = await ctx.db.run_alone(lambda tx: tx.first_as(Held, _CLAIM, values))
    if job is not None and await _worn_out(ctx, job):
        return None
    return job


async def _worn_out(ctx: Context, job: Held) -> bool:
    attempts = await ctx.db.once(select(BulkJob.attempts).where(BulkJob.job_id == job.job_id))
    if attempts is None or attempts[0] <= MAX_ATTEMPTS:
        return False
    message = f"Row {job.at_row + 1} or one of the {CHUNK_ROWS} after it could not be worked on, {MAX_ATTEMPTS} times."
    await _give_up(ctx, job, message)
    return True


async def _give_up(ctx: Context, job: Held, message: str) -> None:
    log.error("a bulk job is given up", job=str(job.job_id), reason=message)
    await ctx.db.once(_FAIL, {"job_id": job.job_id, "token": job.lease_token, "error": message})


_Older = aliased(BulkJob)
_NEXT = (
    select(BulkJob.job_id)
    .where(
        BulkJob.state.in_(["queued", "running"]),
        or_(BulkJob.leased_until.is_(None), BulkJob.leased_until < func.now()),
        ~exists().where(
            _Older.seller_id == BulkJob.seller_id,
            _Older.state.in_(["queued", "running"]),
            or_(
                _Older.created_at < BulkJob.created_at,
                and_(_Older.created_at == BulkJob.created_at, _Older.job_id < BulkJob.job_id),
            ),
        ),
    )
    .order_by(BulkJob.updated_at)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_CLAIM = (
    update(BulkJob)
    .where(BulkJob.job_id == _NEXT)
    .values(
        state="running",
        lease_token=bindparam("token", type_=Uuid),
        leased_until=func.now() + bindparam("lease", type_=Interval),
        attempts=BulkJob.attempts + 1,
        started_at=func.coalesce(BulkJob.started_at, func.now()),
        updated_at=func.now(),
    )
    .returning(
        BulkJob.job_id, BulkJob.seller_id, BulkJob.format, BulkJob.dry_run, BulkJob.at_byte, BulkJob.at_row,
        BulkJob.at_line, BulkJob.lease_token,
    )
)  # fmt: skip
_MINE = (BulkJob.job_id == bindparam("job_id"), BulkJob.lease_token == bindparam("token"), BulkJob.state == "running")
_LEAVE = update(BulkJob).where(*_MINE).values(leased_until=None, updated_at=func.now())
_FAIL = (
    update(BulkJob)
    .where(*_MINE)
    .values(
        state="failed", error=bindparam("error", type_=String), finished_at=func.now(), updated_at=func.now(),
        leased_until=None,
    )
)  # fmt: skip
