"""Rules of this repository that no linter has, as functions from source text to violations.

Each has a passing and a failing example.
"""

import ast
import re
from collections.abc import Iterator

MONEY_NAME = re.compile(r"(^|_)(price|amount|total|fee|tax|subtotal|discount)(_|$)")
CLOCK_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "monotonic"),
}


def commits_outside_the_kernel(tree: ast.AST) -> Iterator[str]:
    """Only kernel/db.py calls `commit()`: a transaction ends where it began.

    The `writer` of a search index is not a transaction.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=receiver, attr="commit")) if not ast.unparse(receiver).endswith(
                "writer"
            ):
                yield f"line {node.lineno}: commit() outside kernel/db.py"


def clocks_outside_the_kernel(tree: ast.AST) -> Iterator[str]:
    """Only kernel/clock.py reads the time."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (owner, name) in CLOCK_CALLS:
                yield f"line {node.lineno}: {owner}.{name}() outside kernel/clock.py"


def float_money(tree: ast.AST) -> Iterator[str]:
    """No float annotation on a name that means money."""
    for node in ast.walk(tree):
        name, annotation = "", None
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, node.annotation
        elif isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        if annotation is not None and MONEY_NAME.search(name) and re.search(r"\bfloat\b", ast.unparse(annotation)):
            yield f"line {annotation.lineno}: {name} is annotated as float"


def sql_in_routes(tree: ast.AST) -> Iterator[str]:
    """Routes and pages hold no SQL; statements are in commands and queries."""
    for node in ast.walk(tree):
        module = node.module if isinstance(node, ast.ImportFrom) else None
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [module or ""]
        if any(name.split(".")[0] == "sqlalchemy" for name in names if isinstance(node, ast.Import | ast.ImportFrom)):
            yield f"line {getattr(node, 'lineno', 0)}: sqlalchemy imported"


def untyped_rows(tree: ast.AST) -> Iterator[str]:
    """Rows are read into classes by `all_as` and `first_as`; a `Row` does not declare its columns."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Name(id="Row" | "RowMapping")) | ast.Name(id="RowMapping"):
                yield f"line {node.lineno}: {ast.unparse(node)}"
