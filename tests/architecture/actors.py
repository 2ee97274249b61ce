"""Queries on owned rows take an actor, and the actor reaches the statement.

The rule reads every public function of a noun that runs a statement on an owned table, in every file. Its first
statement on such a table must depend on the caller: on a parameter of type `Actor`, or on a value made from one. An
earlier call that takes the actor also counts. Later statements may use what the first one found.
"""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Function, Module, Source, is_sql, models, tables_in

# Rows of these tables have no owner, or belong to the shop.
PUBLIC = frozenset({
    "attribute_definitions", "categories", "category_redirects", "exchange_rates", "sellers", "warehouses",
    "warehouse_editions", "stream_positions", "outbox_events", "search_synonyms", "search_synonym_decisions",
})  # fmt: skip
STATEMENT_CALLS = {"all", "first", "scalar", "execute", "all_as", "first_as", "fetch", "batch", "once"}
_ACTOR = re.compile(r"\bActor\b")
_DATABASE = re.compile(r"\b(Tx|ReadTx|Context|Database)\b")


def unscoped(source: Source) -> Iterator[tuple[str, str]]:
    """(file, function) of every public function whose first statement on an owned table does not depend on an actor."""
    tables = Touched(source)
    for module in source.judged:
        parts = module.path.split("/")
        if len(parts) < 3 or parts[1] in {"operations", "sandbox", "kernel"}:
            continue
        for name, function in module.functions():
            public = not any(piece.startswith("_") for piece in name.split("."))
            if public and _asks_database(function) and _is_unscoped(tables, module, function):
                yield module.path, name


class Touched:
    """The owned tables that an expression touches, through the constants, classes and functions it names."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def by(self, module: Module, node: ast.AST) -> frozenset[str]:
        """Tables of an expression or a function's body."""
        found: frozenset[str] = frozenset()
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and is_sql(inner.value):
                found |= tables_in(inner.value).all
            if isinstance(inner, ast.Name | ast.Attribute) and (place := self.source.resolve(module, inner)):
                found |= self._of(*place)
        return found - PUBLIC

    def _of(self, module: Module, name: str) -> frozenset[str]:
        if (table := models().get(f"{module.name}.{name}")) is not None:
            return frozenset({table})
        key = (module.name, name)
        if key not in self._known:
            self._known[key] = frozenset()  # a cycle ends here
            node = module.names.get(name)
            # An asynchronous function is checked separately; a class is a type, not a statement.
            if node is not None and not isinstance(node, ast.AsyncFunctionDef | ast.ClassDef):
                self._known[key] = self.by(module, node)
        return self._known[key]


def _asks_database(function: Function) -> bool:
    arguments = [*function.args.args, *function.args.kwonlyargs]
    return any(arg.annotation is not None and _DATABASE.search(ast.unparse(arg.annotation)) for arg in arguments)


def _is_unscoped(tables: Touched, module: Module, function: Function) -> bool:
    """Whether the first statement on an owned table does not depend on the actor.

    False when an earlier call takes the actor.
    """
    local = _assigned(function)
    scoped = _depends_on_actor(function, local)
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        runs = isinstance(call.func, ast.Attribute) and call.func.attr in STATEMENT_CALLS
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        if runs and any(tables.by(module, part) for argument in arguments for part in _expanded(argument, local)):
            return not any(_names(argument) & scoped for argument in arguments)
        place = tables.source.resolve(module, call.func)
        if place is not None and any(_names(argument) & scoped for argument in arguments):
            node = place[0].names.get(place[1])
            if isinstance(node, ast.AsyncFunctionDef):
                return False
    return False


def _assigned(function: Function) -> dict[str, list[ast.AST]]:
    """Local name -> the expressions it is made from, including methods that change it in place."""
    found: dict[str, list[ast.AST]] = {}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    for name in _names(target):
                        found.setdefault(name, []).append(value)
            case (
                ast.AnnAssign(target=target, value=ast.expr() as value)
                | ast.AugAssign(target=target, value=value)
                | ast.NamedExpr(target=target, value=value)
            ):
                for name in _names(target):
                    found.setdefault(name, []).append(value)
    return found


def _depends_on_actor(function: Function, local: dict[str, list[ast.AST]]) -> set[str]:
    """Parameters of type `Actor`, and local names made from them."""
    scoped = {
        arg.arg
        for node in ast.walk(function)
        if isinstance(node, Function)
        for arg in [*node.args.args, *node.args.kwonlyargs]
        if arg.annotation is not None and _ACTOR.search(ast.unparse(arg.annotation))
    }
    # `if user_id != actor.user_id: raise` ensures that `user_id` is the actor's own afterwards.
    for node in ast.walk(function):
        if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise) and _names(node.test) & scoped:
            scoped |= _names(node.test)
    while more := {
        name for name, values in local.items() if name not in scoped and any(_names(v) & scoped for v in values)
    }:
        scoped |= more
    return scoped


def _expanded(expression: ast.AST, local: dict[str, list[ast.AST]]) -> Iterator[ast.AST]:
    """The expression and the expressions its local names are made from."""
    seen: set[str] = set()
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        for name in _names(part) - seen:
            seen.add(name)
            waiting.extend(local.get(name, ()))


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
