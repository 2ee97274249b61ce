"""Run the checks on one snapshot of the database."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from api.kernel.clock import monotonic
from api.kernel.invariants import CLEANUP_SECONDS, Check
from api.operations.invariants.checks import CHECKS
from api.operations.invariants.gateway import Gateway, copy_ledgers

SAMPLE = 5


@dataclass(frozen=True)
class Violation:
    """One broken check: how many rows break it, and the first few as column -> text."""

    check: str
    sentence: str
    rows: int
    sample: tuple[dict[str, str], ...]

    def __str__(self) -> str:
        lines = "; ".join(str(row) for row in self.sample)
        return f"{self.check}: not true that {self.sentence} ({self.rows} rows, for example {lines})"


@dataclass(frozen=True)
class Result:
    """One check that ran: its violation if any, and how long it took."""

    check: Check
    violation: Violation | None
    seconds: float


def run_checks(
    database_url: str, gateways: Sequence[Gateway], *, cleanup_seconds: int = CLEANUP_SECONDS
) -> list[Result]:
    """Every check, or all but the gateways' when `gateways` is empty, on one REPEATABLE READ snapshot.

    The gateways' ledgers are read before the snapshot is taken: run it while no request is in
    progress. Raises: GatewaySilent; psycopg.Error.
    """
    with psycopg.connect(database_url, autocommit=True, application_name="souk-invariants") as connection:
        if gateways:
            copy_ledgers(connection, gateways)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        results = checked(connection, cleanup_seconds, gateways=bool(gateways))
        connection.execute("COMMIT")
    return results


def checked(
    connection: psycopg.Connection[tuple[object, ...]],
    cleanup_seconds: int = CLEANUP_SECONDS,
    *,
    gateways: bool = False,
) -> list[Result]:
    """The same on what the transaction of a connection sees; with `gateways` it holds a copy of their ledgers."""
    connection.execute("SET LOCAL work_mem = '64MB'")
    return [_run(connection, check, cleanup_seconds) for check in CHECKS if gateways or not check.gateway]


def violations(
    database_url: str, gateways: Sequence[Gateway] = (), *, cleanup_seconds: int = CLEANUP_SECONDS
) -> list[Violation]:
    """The broken checks; empty when every invariant holds."""
    return [
        result.violation
        for result in run_checks(database_url, gateways, cleanup_seconds=cleanup_seconds)
        if result.violation
    ]


def _run(connection: psycopg.Connection[tuple[object, ...]], check: Check, cleanup_seconds: int) -> Result:
    began = monotonic()
    counted = sql.SQL("SELECT count(*) OVER (), broken.* FROM ({}) broken LIMIT {}").format(
        sql.SQL(check.sql), sql.Literal(SAMPLE)
    )
    with connection.cursor() as cursor:
        cursor.execute(counted, {"cleanup": cleanup_seconds})
        rows: Sequence[tuple[object, ...]] = cursor.fetchall()
        names = [column.name for column in cursor.description or ()][1:]
    violation = None
    if rows:
        sample = tuple({name: str(value) for name, value in zip(names, row[1:], strict=True)} for row in rows)
        violation = Violation(check.name, check.sentence, int(str(rows[0][0])), sample)
    return Result(check, violation, monotonic() - began)
