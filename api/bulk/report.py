"""The report of a job as CSV: a line for each row, or for each problem of one."""

from collections.abc import AsyncIterator
from uuid import UUID

from api.bulk import queries
from api.bulk.files.cells import marked
from api.bulk.files.export import written
from api.bulk.queries import ReportRow
from api.kernel.actor import Actor
from api.kernel.context import Context

COLUMNS = ("row", "sku", "result", "field", "message", "fix")
ROWS_AT_ONCE = 1_000


async def lines_of(ctx: Context, actor: Actor, job_id: UUID) -> AsyncIterator[bytes]:
    """The file in pieces. Each is read when it is asked for, so a slow reader holds neither memory nor a connection."""
    yield written([COLUMNS])
    after = 0
    while True:
        async with ctx.db.read() as tx:
            rows = await queries.report_of(tx, actor, job_id, after, ROWS_AT_ONCE)
        if rows:
            yield written([line for row in rows for line in _lines(row)])
            after = rows[-1].row
        if len(rows) < ROWS_AT_ONCE:
            return


def _lines(row: ReportRow) -> list[list[str]]:
    known = [str(row.row), marked(row.sku or ""), row.result]
    found = [[marked(str(one[name])) for name in ("field", "message", "fix")] for one in row.findings or ()]
    return [[*known, *texts] for texts in found or [["", "", ""]]]
