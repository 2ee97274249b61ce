"""Statements as Postgres receives them: a text with $1, $2, ... and the values in that order.

SQLAlchemy compiles each statement once. A module constant, or a statement from a cached builder, is found again by its
identity. One that is built for a call is found by its structure, which costs several times as much as to send it.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement, Executable
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.compiler import ExpandedState, SQLCompiler
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeEngine

# Any: values of every SQL type, in this whole module
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]
Row = tuple[Any, ...]

_DIALECT = cast("Dialect", PGDialect_psycopg(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
_STRUCTURES = 1_000


class Call(NamedTuple):
    """A statement on its way: `prepare` when the same text will be sent again."""

    sql: bytes
    values: Sequence[Any]
    prepare: bool = True


class Plan:
    """A compiled text, and what its columns are converted to. `prepare`: whether it is likely to be sent again."""

    __slots__ = ("_types", "columns", "expands", "loads", "positions", "prepare", "processors", "sql")

    def __init__(self, statement: Executable, compiled: SQLCompiler, *, prepare: bool) -> None:
        if compiled.insert_prefetch or compiled.update_prefetch:
            raise TypeError(f"a column has a default in Python; give it one in the database: {compiled.string}")
        self.sql = compiled.string.encode()
        self.prepare = prepare
        # None: the text depends on how many values a list has
        self.expands = compiled if compiled.post_compile_params else None
        self.positions = tuple(compiled.positiontup or ())
        self.processors = {
            name: convert
            for bind, name in compiled.bind_names.items()
            if (convert := bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)) is not None
        }
        self._types = _result_types(statement)
        self.columns: tuple[str, ...] = ()
        self.loads: tuple[Convert | None, ...] | None = None

    def written_out(self, state: ExpandedState) -> "Plan":
        """The plan with lists of these lengths, which are part of its text from now on."""
        plan = copy.copy(self)
        plan.sql, plan.positions = state.statement.encode(), tuple(state.positiontup or ())
        plan.expands, plan.prepare = None, False
        return plan

    def describe(self, columns: tuple[str, ...], oids: Sequence[int]) -> None:
        """Note the columns of the first result."""
        self.columns = columns
        if len(self._types) == len(oids):
            loads = [
                type_.dialect_impl(_DIALECT).result_processor(_DIALECT, oid)
                for type_, oid in zip(self._types, oids, strict=True)
            ]
            self.loads = tuple(loads) if any(loads) else None

    def convert(self, rows: list[Row]) -> list[Row]:
        """The driver's rows with the values that the statement's types promise."""
        if self.loads is None:
            return rows
        return [
            tuple(value if load is None else load(value) for load, value in zip(self.loads, row, strict=True))
            for row in rows
        ]


class Bound:
    """A statement: its plan, with the values that are written into it."""

    __slots__ = ("_binds", "_fixed", "_given", "plan")

    def __init__(self, plan: Plan, compiled: SQLCompiler, binds: Sequence[BindParameter[Any]] | None) -> None:
        required = {bind.key: None for bind in compiled.bind_names if bind.required}
        self._binds = compiled.construct_params(required, extracted_parameters=binds, escape_names=False)
        values: Values = self._binds
        processors = plan.processors
        if plan.expands is not None and _has_its_lists(compiled):
            state = compiled.construct_expanded_state(self._binds, escape_names=False)
            plan, values = plan.written_out(state), state.parameters
            processors = {**processors, **state.processors}
        self.plan = plan
        keys = {name: bind for bind, name in compiled.bind_names.items()}
        self._fixed = [
            values[name] if processors.get(name) is None else processors[name](values[name]) for name in plan.positions
        ]
        self._given = [
            (position, bind.key, processors.get(name), bind.required)
            for position, name in enumerate(plan.positions)
            if (bind := keys.get(name)) is not None and not bind.unique
        ]

    def call(self, given: Values | None) -> Call:
        """The statement with the values that the caller gives by name. Raises: KeyError when one is missing."""
        plan = self.plan
        if plan.expands is not None:
            return self._expanded(plan.expands, given or {})
        if not self._given:
            return Call(plan.sql, self._fixed, plan.prepare)
        values = self._fixed.copy()
        named = given or {}
        for position, key, convert, required in self._given:
            if required or key in named:
                value = named[key]
                values[position] = value if convert is None else convert(value)
        return Call(plan.sql, values, plan.prepare)

    def _expanded(self, compiled: SQLCompiler, given: Values) -> Call:
        missing = [key for _, key, _, required in self._given if required and key not in given]
        if missing:
            raise KeyError(missing[0])
        state = compiled.construct_expanded_state({**self._binds, **given}, escape_names=False)
        processors = {**self.plan.processors, **state.processors}
        values = [
            processors[name](state.parameters[name]) if name in processors else state.parameters[name]
            for name in state.positiontup or ()
        ]
        return Call(state.statement.encode(), values, prepare=False)


def _has_its_lists(compiled: SQLCompiler) -> bool:
    """Whether no list is given by the caller, so that the text is always the same."""
    return all(bind.unique for bind in compiled.post_compile_params)


_bound: WeakKeyDictionary[Executable, Bound] = WeakKeyDictionary()
_compiled: OrderedDict[tuple[Any, ...], tuple[Plan, SQLCompiler]] = OrderedDict()


def bind(statement: Executable) -> Bound:
    """The statement with its plan. One that is seen again will be sent again, and is prepared."""
    found = _bound.get(statement)
    if found is None:
        return by_structure(statement)
    found.plan.prepare = True
    return found


def by_structure(statement: Executable) -> Bound:
    element = cast("ClauseElement", statement)
    key = element._generate_cache_key()  # noqa: SLF001 - SQLAlchemy's own cache of compiled statements is in its engines
    if key is None:
        # Rows that are written out, or ON CONFLICT: SQLAlchemy has no key for them.
        compiled = _compile(element)
        bound = Bound(Plan(statement, compiled, prepare=False), compiled, None)
    else:
        bound = Bound(*_plan_of(statement, element, key), key.bindparams)
    # What expands for each call keeps SQLAlchemy's statement, and would keep its own key here.
    if bound.plan.expands is None:
        _bound[statement] = bound
    return bound


def _plan_of(statement: Executable, element: ClauseElement, key: CacheKey) -> tuple[Plan, SQLCompiler]:
    found = _compiled.get(key.key)
    if found is None:
        compiled = _compile(element, key)
        found = _compiled[key.key] = Plan(statement, compiled, prepare=True), compiled
        while len(_compiled) > _STRUCTURES:
            _compiled.popitem(last=False)
    else:
        _compiled.move_to_end(key.key)
    return found


def _compile(element: ClauseElement, key: CacheKey | None = None) -> SQLCompiler:
    compiled = element.compile(dialect=_DIALECT, cache_key=key)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError(f"not a query: {element}")
    return compiled


def _result_types(statement: Executable) -> tuple[TypeEngine[Any], ...]:
    if not isinstance(statement, ReturnsRows):
        return ()
    return tuple(column.type for column in statement.exported_columns)
