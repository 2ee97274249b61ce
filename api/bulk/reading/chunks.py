"""A chunk of rows: what it changes, its lines of the report and the place after it are one commit.

A process that dies before the commit has changed nothing, and after it the next chunk is the next one.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import (
    ARRAY,
    Executable,
    Integer,
    Interval,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from api.bulk.files.groups import Group, found
from api.bulk.files.lines import Place
from api.bulk.files.records import Finding
from api.bulk.models import BulkJob, BulkRow
from api.bulk.reading.planning import Findings, Known, Step, plan
from api.catalog.commands import change_in, create_in
from api.catalog.commands.images import FileRow
from api.catalog.pages import product_tag
from api.catalog.schemas import ProductIn, ProductPatch
from api.kernel import clock, failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Problem
from api.kernel.feeds import announce_soon


class LeaseLost(RuntimeError):
    """The job was cancelled, or another process works on it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A job that this process works on, until its lease ends."""

    job_id: UUID
    seller_id: UUID
    format: str
    dry_run: bool
    at_byte: int
    at_row: int
    at_line: int
    lease_token: UUID

    @property
    def actor(self) -> Actor:
        return Actor(kind="seller", user_id=self.seller_id)

    @property
    def place(self) -> Place:
        return Place(self.at_byte, self.at_row, self.at_line)


@dataclass(frozen=True, slots=True)
class Booked:
    """A row of the report."""

    row: int
    sku: str | None
    tie: str | None
    result: str
    findings: Sequence[Finding]


class _Undone(Exception):
    """What a dry run found out, when what it did is undone."""

    def __init__(self, booked: list[Booked]) -> None:
        self.booked = booked


class _Refused(Exception):
    """A product was refused by its command."""


async def work_off(ctx: Context, job: Held, groups: Sequence[Group], known: Known, *, last: bool, ms: int) -> int:
    """Do what the rows ask for and book them; how many. `last`: the file ends with them; `ms`: what reading took.

    Raises: LeaseLost; then nothing has changed.
    """
    failpoints.hit("bulk.before_chunk")
    end = groups[-1].end if groups else job.place
    try:
        booked, tags = await _done(ctx, job, groups, known, end, last=last, careful=False, ms=ms)
    except _Refused:
        booked, tags = await _done(ctx, job, groups, known, end, last=last, careful=True, ms=ms)
    failpoints.hit("bulk.after_chunk")
    await announce_soon(ctx.redis, tags)
    return len(booked)


async def _done(
    ctx: Context, job: Held, groups: Sequence[Group], known: Known, end: Place, *, last: bool, careful: bool, ms: int
) -> tuple[list[Booked], set[str]]:
    tags: set[str] = set()

    async def work(tx: Tx) -> list[Booked]:
        tags.clear()
        await hold(ctx, tx, job)
        steps = await plan(tx, job.actor, job.job_id, groups, known) if groups else []
        for step in sorted(steps, key=_lock_order):
            if (changed := await _take(tx, ctx, job, step, careful=careful)) is not None:
                tags.add(product_tag(changed))
        booked = [row for step in steps for row in _booked(step)]
        failpoints.hit("bulk.in_chunk")
        if job.dry_run:
            raise _Undone(booked)
        await _book(tx, job, booked, end, last=last, ms=ms)
        return booked

    began = clock.monotonic()
    try:
        return await ctx.db.run(work), tags
    except _Undone as undone:
        booked = undone.booked
    ms += round((clock.monotonic() - began) * 1_000)

    async def note(tx: Tx) -> None:
        await hold(ctx, tx, job)
        await _book(tx, job, booked, end, last=last, ms=ms)

    await ctx.db.run(note)
    return booked, set()


async def hold(ctx: Context, tx: Tx, job: Held) -> None:
    """Lock the job and keep it for longer. Raises: LeaseLost."""
    values = {
        "job_id": job.job_id,
        "token": job.lease_token,
        "lease": timedelta(seconds=ctx.settings.bulk_lease_seconds),
    }
    if await tx.first(_HOLD, values) is None:
        raise LeaseLost


def _lock_order(step: Step) -> UUID:
    """Products are locked in the order of their ids; new ones are nobody else's."""
    return UUID(int=0) if step.product is None else step.product.product_id


async def _take(tx: Tx, ctx: Context, job: Held, step: Step, *, careful: bool) -> UUID | None:
    """Give the product to the API's command; the id of what has changed. Raises: _Refused unless `careful`; then its
    findings are noted, and what the command did is undone."""
    if step.body is None or step.findings:
        return None
    try:
        if not careful:
            return await _command(tx, ctx, job, step)
        async with tx.undone_when_it_fails():
            return await _command(tx, ctx, job, step)
    except Problem as problem:
        if problem.status >= 500:
            raise
        findings = _refusal(problem, step)
    except psycopg.DataError:
        message = "a value cannot be stored as it is"
        findings = {step.group.rows[0].number: [Finding("", message, "look for NUL characters, numbers out of range")]}
    if not careful:
        raise _Refused
    step.findings = findings
    return None


async def _command(tx: Tx, ctx: Context, job: Held, step: Step) -> UUID:
    file_row = FileRow(job.job_id, step.group.rows[0].number)
    if isinstance(step.body, ProductIn):
        return await create_in(tx, ctx, job.actor, step.body, file_row=file_row)
    assert step.product is not None
    assert isinstance(step.body, ProductPatch)
    await change_in(tx, ctx, job.actor, step.product.product_id, step.body, expected=None, file_row=file_row)
    return step.product.product_id


def _refusal(problem: Problem, step: Step) -> Findings:
    findings: Findings = {}
    for row, finding in found(problem.errors or (), step.rows):
        findings.setdefault(row, []).append(finding)
    return findings or {step.group.rows[0].number: [Finding("", problem.title, problem.detail)]}


def _booked(step: Step) -> list[Booked]:
    """The rows of a step. A product is taken whole or not at all."""
    rows = step.group.rows
    if not step.findings:
        return [Booked(row.number, row.sku, row.tie, step.results[i], ()) for i, row in enumerate(rows)]
    wrong = min(step.findings)
    other = [Finding("", f"row {wrong} of the same product has a problem", "correct that row")]
    return [Booked(row.number, row.sku, row.tie, "failed", step.findings.get(row.number, other)) for row in rows]


async def _book(tx: Tx, job: Held, booked: Sequence[Booked], end: Place, *, last: bool, ms: int) -> None:
    if booked:
        values = {
            "job_id": job.job_id,
            "numbers": [row.row for row in booked],
            "skus": [_cut(row.sku, 100) for row in booked],
            "ties": [_cut(row.tie, 200) for row in booked],
            "results": [row.result for row in booked],
            "found": [_json(row.findings) for row in booked],
        }
        await tx.execute(_ROWS, values)
    results = [row.result for row in booked]
    counts = {f"more_{name}": results.count(name) for name in ("created", "updated", "unchanged", "failed")}
    place = {"byte": end.at, "row": end.row, "line": end.line, "ms": ms, "last": last}
    await tx.execute(_ON, {"job_id": job.job_id, "more": len(booked), **counts, **place})


def _cut(text: str | None, longest: int) -> str | None:
    return None if text is None else _storable(text)[:longest]


def _storable(text: str) -> str:
    return text.replace("\0", "")


def _json(findings: Sequence[Finding]) -> str | None:
    return (
        orjson.dumps([{k: _storable(v) for k, v in asdict(one).items()} for one in findings]).decode()
        if findings
        else None
    )


def _insert_rows() -> Executable:
    kinds = {"numbers": Integer, "skus": Text, "ties": Text, "results": Text, "found": Text}
    lists = func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in kinds.items()))
    rows = lists.table_valued(*(column(name, kind) for name, kind in kinds.items())).render_derived("given")
    values = select(
        cast(bindparam("job_id"), Uuid),
        rows.c.numbers,
        rows.c.skus,
        rows.c.ties,
        rows.c.results,
        cast(rows.c.found, JSONB),
    )
    names = (BulkRow.job_id, BulkRow.row, BulkRow.sku, BulkRow.tie, BulkRow.result, BulkRow.findings)
    return insert(BulkRow).from_select(names, values)


def _advance() -> Executable:
    more: dict[str, Any] = {  # Any: SQL expressions
        name: getattr(BulkJob, name) + bindparam(f"more_{name}", type_=Integer)
        for name in ("created", "updated", "unchanged", "failed")
    }
    last = cast(bindparam("last"), BulkJob.dry_run.type)
    return (
        update(BulkJob)
        .where(BulkJob.job_id == bindparam("job_id"))
        .values(
            **more,
            rows=BulkJob.rows + bindparam("more", type_=Integer),
            at_byte=bindparam("byte"),
            at_row=bindparam("row"),
            at_line=bindparam("line"),
            worked_ms=BulkJob.worked_ms
            + cast(func.extract("epoch", func.clock_timestamp() - func.now()) * 1_000, Integer)
            + bindparam("ms", type_=Integer),
            attempts=0,
            state=func.coalesce(_when(last, "done"), BulkJob.state),
            finished_at=_when(last, func.clock_timestamp()),
            leased_until=_when(~last, BulkJob.leased_until),
            updated_at=func.now(),
        )
    )


def _when(condition: Any, value: Any) -> Any:  # Any: SQL expressions
    return case((condition, value))


_HOLD = (
    update(BulkJob)
    .where(BulkJob.job_id == bindparam("job_id"), BulkJob.lease_token == bindparam("token"), BulkJob.state == "running")
    .values(leased_until=func.now() + bindparam("lease", type_=Interval))
    .returning(BulkJob.job_id)
)
_ROWS, _ON = _insert_rows(), _advance()
