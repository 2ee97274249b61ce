"""No network call happens while a transaction is open.

A transaction is open in every function that takes a `Tx` or `ReadTx`, in every lambda with a parameter `tx`, in the
block of `async with` over `transaction()`, `alone()`, `autocommit()` or `read()`, and in every function that is given
to `run`, `run_alone`, `run_once` or `in_batches`. A network call is an awaited call on a client
(`ctx.http.post`, `gateway.capture`), a call that takes a client (`publish(ctx.redis, ...)`), or a call of a function of
the shop that makes one, directly or through other functions.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tests.architecture.source import Function, Module, Source

CLIENTS = {"http", "httpx", "redis", "gateway", "outbound", "serving", "client"}
OPENERS = {"transaction", "alone", "autocommit", "read"}
RUNNERS = {"run", "run_alone", "run_once", "in_batches"}
TRANSACTIONS = {"Tx", "ReadTx"}
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """An awaited call: whether it goes to a client, and what it calls. `self` is replaced by its class."""

    to_client: bool
    name: ast.AST


def network_inside_transactions(source: Source) -> set[Key]:
    """(file, function) for every call over the network while a transaction is open."""
    slow = network_functions(source)
    return {
        (module.path, name)
        for module in source.modules.values()
        for name, calls in _inside_transactions(module).items()
        if any(_is_network(source, module, call, slow) for call in calls)
    }


def network_functions(source: Source) -> set[Key]:
    """(module, function) of everything that makes a network call, directly or through another function."""
    found: set[Key] = set()
    while True:
        more = {
            (module.name, name)
            for module in source.modules.values()
            for name, calls in _everywhere(module).items()
            if any(_is_network(source, module, call, found) for call in calls)
        }
        if more <= found:
            return found
        found |= more


def _is_network(source: Source, module: Module, call: Call, slow: set[Key]) -> bool:
    return call.to_client or bool(slow & set(_keys(source, module, call.name)))


def _keys(source: Source, module: Module, expression: ast.AST) -> Iterator[Key]:
    """The function or method that an expression names."""
    if found := source.resolve(module, expression):
        yield found[0].name, found[1]
    if isinstance(expression, ast.Attribute):
        # `Gateway(...).capture` and `Gateway.capture`, into which `self.capture` was replaced.
        owner = expression.value.func if isinstance(expression.value, ast.Call) else expression.value
        if found := source.resolve(module, owner):
            yield found[0].name, f"{found[1]}.{expression.attr}"


@cache
def _everywhere(module: Module) -> dict[str, list[Call]]:
    """Function -> the calls that it awaits."""
    return {name: [_call(name, call) for call in _awaited(node.body)] for name, node in module.functions()}


@cache
def _inside_transactions(module: Module) -> dict[str, list[Call]]:
    """Function -> the calls that it awaits while a transaction is open."""
    return {
        name: [_call(name, call) for block in _transactions(node) for call in _awaited(block)]
        for name, node in module.functions()
    }


def _call(inside: str, call: ast.Call) -> Call:
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    given = [argument for argument in call.args if isinstance(argument, ast.Name | ast.Attribute)]
    to_client = (receiver is not None and bool(CLIENTS & _words(receiver))) or any(
        CLIENTS & _words(argument, last=True) for argument in given
    )
    match call.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=method):
            own: ast.AST = ast.Attribute(value=ast.Name(id=inside.partition(".")[0]), attr=method)
            return Call(to_client, own)
    return Call(to_client, call.func)


def _words(expression: ast.AST, *, last: bool = False) -> set[str]:
    """The names of a path such as `self._ctx.redis`, without leading underscores."""
    words = [
        re.sub(r"^gateway_.*", "gateway", word.lstrip("_")) for word in re.findall(r"\w+", ast.unparse(expression))
    ]
    return set(words[-1:] if last else words)


def _awaited(nodes: Sequence[ast.AST]) -> Iterator[ast.Call]:
    """Calls that are awaited, and calls that open a block of `async with`."""
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Await) and isinstance(inner.value, ast.Call):
                yield inner.value
            if isinstance(inner, ast.AsyncWith):
                yield from (item.context_expr for item in inner.items if isinstance(item.context_expr, ast.Call))


def _transactions(function: Function) -> Iterator[Sequence[ast.AST]]:
    """The parts of a function that run while a transaction is open."""
    inner = {node.name: node for node in ast.walk(function) if isinstance(node, Function)}
    for node in ast.walk(function):
        if isinstance(node, Function) and _takes_tx(node):
            yield node.body
        if isinstance(node, ast.AsyncWith) and any(_is_call_of(item.context_expr, OPENERS) for item in node.items):
            yield node.body
        if isinstance(node, ast.Lambda) and any(argument.arg == "tx" for argument in node.args.args):
            # The runner awaits the result of a lambda.
            yield [ast.Await(node.body)]
        if isinstance(node, ast.Call) and _is_call_of(node, RUNNERS):
            yield from (inner[arg.id].body for arg in node.args if isinstance(arg, ast.Name) and arg.id in inner)


def _takes_tx(function: Function) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return any(arg.annotation is not None and ast.unparse(arg.annotation) in TRANSACTIONS for arg in arguments)


def _is_call_of(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name in names
    return False
