"""Rows of a query as typed objects: the columns of the result are the fields of a class, by name."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from operator import itemgetter
from typing import TypeVar

from pydantic import BaseModel

M = TypeVar("M")


class ColumnMismatch(TypeError):
    """The columns of a statement and the fields of its row class differ: a bug, found at the first call."""


def as_models(model: type[M], columns: Iterable[str], rows: Iterable[Sequence[object]]) -> list[M]:
    """One `model` per row, a dataclass or a pydantic model; `columns` name the values of each row, in any order.

    A dataclass takes the values as they are, a pydantic model validates them.

    Raises: ColumnMismatch when a field has no column, a column has no field, or two columns share a name.
    """
    names = tuple(columns)
    kind: type = model
    order = _order(kind, names)
    make: Callable[..., M] = model
    if issubclass(kind, BaseModel):
        return [make(**dict(zip(names, row, strict=True))) for row in rows]
    return [make(*order(row)) for row in rows]


# Postgres quotes what is empty or holds a comma, a space, a bracket, a quote or a backslash, and doubles the last two.
_VALUE = re.compile(r'("[^"]*(?:""[^"]*)*"|[^,"]*),')


def values_of(record: str) -> list[str | None]:
    """The values of `ROW(...)::text`, each as text."""
    return [
        value or None if not value.startswith('"') else value[1:-1].replace('""', '"').replace("\\\\", "\\")
        for value in _VALUE.findall(record[1:-1] + ",")
    ]


@cache
def _order(model: type, columns: tuple[str, ...]) -> Callable[[Sequence[object]], Sequence[object]]:
    """From a row's values to the constructor's, by position."""
    wanted = _require_fields(model, columns)
    if wanted == columns:
        return tuple
    return itemgetter(*(columns.index(name) for name in wanted))


@cache
def _require_fields(model: type, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The model's fields. Raises: ColumnMismatch."""
    wanted = _field_names(model)
    if sorted(wanted) != sorted(columns):
        missing, extra = sorted(set(wanted) - set(columns)), sorted(set(columns) - set(wanted))
        raise ColumnMismatch(
            f"{model.__name__}: no column for {missing}, no field for {extra}, columns {list(columns)}"
        )
    return wanted


def _field_names(model: type) -> tuple[str, ...]:
    if issubclass(model, BaseModel):
        return tuple(model.model_fields)
    if is_dataclass(model):
        return tuple(field.name for field in fields(model) if field.init)
    raise TypeError(f"{model.__name__} is neither a dataclass nor a pydantic model")
