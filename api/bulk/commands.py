"""Take a file, give a job up, and forget old ones. Files lie in the folder `bulk` of the state directory, which the
API and the workers share."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import Integer, Interval, Select, bindparam, delete, func, insert, select, update

from api.bulk.errors import BulkJobNotFound, FileRefused, TooManyBulkJobs
from api.bulk.files.records import FileError, Format, table_of
from api.bulk.models import BulkJob
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import BodyTooLarge, FieldError
from api.kernel.files import move_into_place
from api.kernel.ids import new_id, parse_id
from api.kernel.pointers import pointer
from api.kernel.settings import Settings

# A file without a job is of a request that is still sending it, or of one that was cut off so long ago.
ABANDONED_SECONDS = 3_600
WRITE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is coming in; `name` as its sender calls it."""

    format: Format
    name: str | None
    dry_run: bool

    def values(self) -> dict[str, object]:
        return {"format": self.format, "file_name": self.name, "dry_run": self.dry_run}


def path_of(settings: Settings, job_id: UUID) -> Path:
    return settings.home / "bulk" / str(job_id)


async def take_file(ctx: Context, actor: Actor, upload: Upload, content: AsyncIterator[bytes]) -> UUID:
    """Write the file to disk as it comes, and queue it; the job's id.

    Raises: FileRefused when it cannot be read at all; BodyTooLarge; TooManyBulkJobs.
    """
    job_id = new_id()
    path = path_of(ctx.settings, job_id)
    part = path.with_suffix(".part")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    try:
        size = await _written(part, content, ctx.settings.bulk_max_bytes)
        await asyncio.to_thread(_check, part, upload.format)
        await asyncio.to_thread(move_into_place, part, path)
        values = {"job_id": job_id, "seller_id": actor.user_id, "bytes": size, **upload.values()}
        await ctx.db.run(lambda tx: _queue(tx, actor, values, ctx.settings.bulk_open_jobs))
    except BaseException:
        part.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    return job_id


async def cancel(ctx: Context, actor: Actor, job_id: UUID) -> None:
    """End a job: rows that were read stay as they are, the others are not read. One that has ended stays as it is.

    Raises: BulkJobNotFound.
    """
    values = {"job_id": job_id, "seller_id": actor.user_id}

    async def work(tx: Tx) -> None:
        if await tx.first(_CANCEL, values) is None and await tx.first(_KNOWN, values) is None:
            raise BulkJobNotFound("You have no bulk job with this id.")

    await ctx.db.run(work)


async def forget_old(ctx: Context) -> int:
    """Delete files that nobody reads any more, and one old job with its report; how many."""
    async with ctx.db.read() as tx:
        open_jobs = {row[0] for row in await tx.all(_OPEN)}
    gone = await asyncio.to_thread(_remove_files, ctx.settings, open_jobs)
    age = timedelta(seconds=ctx.settings.bulk_retention_seconds)
    async with ctx.db.autocommit() as writing:
        return gone + (await writing.execute(_FORGET, {"age": age})).rowcount


async def _written(path: Path, content: AsyncIterator[bytes], most: int) -> int:
    size, waiting = 0, bytearray()
    with path.open("wb") as file:
        async for piece in content:
            size += len(piece)
            if size > most:
                raise BodyTooLarge(f"Send at most {most:,} bytes in one file.")
            waiting += piece
            if len(waiting) >= WRITE_BYTES:
                await asyncio.to_thread(file.write, waiting)
                waiting = bytearray()
        await asyncio.to_thread(file.write, waiting)
    return size


def _check(path: Path, form: Format) -> None:
    try:
        with path.open("rb") as file:
            table_of(file, form)
    except FileError as error:
        fields = [
            FieldError(pointer=pointer([one.field]) if one.field else "", message=f"{one.message}: {one.fix}")
            for one in error.findings
        ]
        raise FileRefused("Nothing was read; correct the file and send it again.", errors=fields[:100]) from None


async def _queue(tx: Tx, actor: Actor, values: dict[str, object], most: int) -> None:
    waiting = len(await tx.all(_WAITING, {"seller_id": actor.user_id, "most": most}))
    if waiting >= most:
        message = f"{waiting} of your files wait to be read: wait for one, or cancel one."
        raise TooManyBulkJobs(message, retry_after=10)
    await tx.execute(insert(BulkJob).values(values))


def _remove_files(settings: Settings, open_jobs: set[UUID]) -> int:
    folder, oldest = settings.home / "bulk", clock.now().timestamp() - ABANDONED_SECONDS
    gone = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        job = parse_id(path.stem)
        if job not in open_jobs and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


_OPEN_STATE = BulkJob.finished_at.is_(None)
_OPEN: Select[tuple[UUID]] = select(BulkJob.job_id).where(_OPEN_STATE)
_WAITING = (
    select(BulkJob.job_id)
    .where(BulkJob.seller_id == bindparam("seller_id"), _OPEN_STATE)
    .limit(bindparam("most", type_=Integer))
)
_OWN = (BulkJob.job_id == bindparam("job_id"), BulkJob.seller_id == bindparam("seller_id"))
_KNOWN = select(BulkJob.job_id).where(*_OWN)
_CANCEL = (
    update(BulkJob)
    .where(*_OWN, _OPEN_STATE)
    .values(state="cancelled", finished_at=func.now(), updated_at=func.now(), leased_until=None)
    .returning(BulkJob.job_id)
)
_OLDEST = (
    select(BulkJob.job_id)
    .where(BulkJob.finished_at < func.now() - bindparam("age", type_=Interval))
    .order_by(BulkJob.finished_at)
    .limit(1)
)
_FORGET = delete(BulkJob).where(BulkJob.job_id.in_(_OLDEST))
