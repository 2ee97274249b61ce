"""The rows of a sub-select as one column of the outer statement: a parent and its children in one round trip."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Numeric, Text, cast, func, literal_column
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

Named = ColumnElement[Any] | InstrumentedAttribute[Any]  # Any: columns of every SQL type


def json_object(columns: Sequence[Named]) -> ColumnElement[dict[str, object]]:
    """A JSON object with the columns' names as keys.

    A numeric is written as text, so that no amount becomes a float.
    """
    members: list[Named] = []
    for column in columns:
        value = cast(column, Text) if isinstance(column.type, Numeric) else column
        members += [literal_column(f"'{column.key}'"), value]
    return func.json_build_object(*members)


def json_rows(columns: Sequence[Named], order_by: Named) -> ColumnElement[list[dict[str, object]]]:
    """An aggregate: the rows as a JSON array of objects in the order of `order_by`, empty when there are none."""
    return func.coalesce(func.json_agg(aggregate_order_by(json_object(columns), order_by)), func.json_build_array())
