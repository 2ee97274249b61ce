"""Looking for abandoned checkouts costs the worker the open ones, not all that there ever were."""

import psycopg
from sqlalchemy import Executable, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.sql import ClauseElement

from api.checkout.models import Checkout
from api.checkout.saga.lease import TAKE_OVER
from api.checkout.saga.transitions import TERMINAL

# Writes binds as $1, which EXPLAIN (GENERIC_PLAN) takes.
NUMBERED = make_url("postgresql+asyncpg://").get_dialect()()


def plan_of(sql: psycopg.Connection, statement: Executable) -> str:
    """How Postgres runs the statement without knowing its values, as the shop's connections for writing have it."""
    assert isinstance(statement, ClauseElement)
    text = statement.compile(dialect=NUMBERED, compile_kwargs={"render_postcompile": True})
    return "\n".join(row[0] for row in sql.execute(f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {text}".encode()).fetchall())


def test_the_oldest_abandoned_checkout_is_found_by_the_index_of_the_open_ones(database_url: str) -> None:
    bound = Checkout.recovery_point.not_in(sorted(TERMINAL))
    blind = select(Checkout.checkout_id).where(bound, Checkout.lease_expires_at < func.now())
    with psycopg.connect(database_url) as sql:
        sql.execute("set enable_seqscan = off")
        assert "ix_checkouts_open" in plan_of(sql, TAKE_OVER)
        assert "ix_checkouts_open" not in plan_of(sql, blind), "the control binds the points"
