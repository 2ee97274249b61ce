"""Children in a column of their parent: names of columns, order, and amounts that are text on their way."""

from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.kernel.models import OutboxEvent
from api.kernel.nested import json_object, json_rows
from api.payments.models import Refund


def sql(column: ColumnElement[Any]) -> str:  # Any: columns of every type
    return str(select(column).compile(dialect=PGDialect_psycopg()))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


def test_amounts_are_text_and_the_rest_is_as_it_is() -> None:
    assert "json_build_object('refund_id', refunds.refund_id, 'given', CAST(refunds.amount AS TEXT))" in sql(
        json_object([Refund.refund_id, Refund.amount.label("given")])
    )


def test_rows_are_ordered_and_none_are_an_empty_list() -> None:
    assert sql(json_rows([OutboxEvent.event_type.label("type")], OutboxEvent.sequence)).startswith(
        "SELECT coalesce(json_agg(json_build_object('type', outbox_events.event_type) ORDER BY outbox_events.sequence),"
        " json_build_array())"
    )
