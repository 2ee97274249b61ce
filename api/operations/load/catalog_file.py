"""A file of products for one seller, as the operator loads it: the same job as over HTTP, worked on at once."""

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select

from api.bulk.commands import Upload, take_file
from api.bulk.files.records import Format
from api.bulk.queries import job_of, report_of
from api.bulk.reading.work import read_files
from api.bulk.schemas import BulkJobBody
from api.identity.models import User
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.errors import Problem
from api.kernel.settings import Settings
from api.operations.load.errors import LoadError

ENDINGS: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
SHOWN = 20
_PIECE = 1 << 20


async def load_file(settings: Settings, path: Path, seller: str, *, dry_run: bool) -> dict[str, object]:
    """Read the file to its end; what became of its rows, with the first that failed.

    Raises: LoadError for a file that cannot be read, or a seller who is not there.
    """
    form = _format(path)
    async with open_context(settings) as ctx:
        actor = Actor(kind="seller", user_id=await _seller(ctx, seller))
        try:
            job_id = await take_file(ctx, actor, Upload(form, path.name, dry_run), _pieces(path))
        except Problem as problem:
            named = [f"{error.pointer.lstrip('/')}: {error.message}".lstrip(": ") for error in problem.errors or ()]
            raise LoadError(f"{path}: {'; '.join(named) or problem.detail}") from None
        job = await _ended(ctx, actor, job_id)
        return await _summary(ctx, actor, job)


def _format(path: Path) -> Format:
    form = ENDINGS.get(path.suffix.lower())
    if not path.is_file() or form is None:
        raise LoadError(f"{path}: give a file of products that ends with {', '.join(ENDINGS)}")
    return form


async def _seller(ctx: Context, email: str) -> UUID:
    named = select(User.user_id).where(func.lower(User.email) == email.lower(), User.user_type == "seller")
    async with ctx.db.read() as tx:
        found: UUID | None = await tx.scalar(named)
    if found is None:
        raise LoadError(f"no seller has the address {email}")
    return found


async def _ended(ctx: Context, actor: Actor, job_id: UUID) -> BulkJobBody:
    """Work on files until this one is read; a worker may do so too, and earlier files of the seller come first."""
    while True:
        rows = await read_files(ctx)
        async with ctx.db.read() as tx:
            job = await job_of(tx, actor, job_id)
        if job.finished_at is not None:
            return job
        if not rows:
            await asyncio.sleep(0.2)


async def _summary(ctx: Context, actor: Actor, job: BulkJobBody) -> dict[str, object]:
    failures: list[str] = []
    after = 0
    while len(failures) < min(job.failed, SHOWN):
        async with ctx.db.read() as tx:
            rows = await report_of(tx, actor, job.job_id, after, 1_000)
        if not rows:
            break
        after = rows[-1].row
        failures += [
            f"row {row.row}: {one['field'] or 'row'}: {one['message']}; {one['fix']}"
            for row in rows
            for one in (row.findings or ())[:1]
        ]
    counts = {name: getattr(job, name) for name in ("rows", "created", "updated", "unchanged", "failed")}
    return {
        "kind": "catalog",
        "status": job.state,
        **counts,
        "dryRun": job.dry_run,
        "rowsPerSecond": job.rows_per_second,
        "peakMemoryMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "jobId": str(job.job_id),
        "error": job.error,
        "failures": failures[:SHOWN],
    }


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
