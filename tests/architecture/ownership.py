"""Which noun uses which other noun's tables, and which files hold SQL text."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import Module, Source, Tables, is_sql, models, owners, strings, tables_in

# Programs of the operator work on the whole database; the kernel's lists of nouns hold no SQL.
PROGRAMS = {"operations", "sandbox"}
# A column whose owner is not the noun of its table. Only the owner writes it.
COLUMN_OWNERS = {
    ("product_variants", "stock_quantity"): "inventory",
    ("product_variants", "owed"): "inventory",
    ("product_variants", "low_stock_at"): "inventory",
}
_WRITERS = {"insert", "update", "delete"}


def modules_of_nouns(source: Source) -> Iterator[Module]:
    """Every module in a folder of a noun or of the kernel, except invariants, which compare nouns."""
    for module in source.judged:
        parts = module.path.split("/")
        if len(parts) > 2 and parts[1] not in PROGRAMS and parts[-1] not in {"invariants.py", "models.py"}:
            yield module


def tables_of(source: Source, module: Module) -> Tables:
    """The tables that the texts and the Core statements of a module use."""
    touched = Tables()
    for _, text in strings(module.tree):
        if is_sql(text):
            touched |= tables_in(text)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name | ast.Attribute) and (table := _model(source, module, node)):
            touched |= Tables(read=frozenset({table}))
        if table := _written(source, module, node):
            touched |= Tables(written=frozenset({table}))
    return touched


def foreign_reads(source: Source) -> set[tuple[str, str]]:
    """(file, table) for every table of another noun that a file reads."""
    return {
        (module.path, table)
        for module in modules_of_nouns(source)
        for table in tables_of(source, module).read
        if owners()[table] != module.noun
    }


def foreign_writes(source: Source) -> set[tuple[str, str]]:
    """(file, table) for every table of another noun that a file writes; the owner of a column may write that column."""
    return {
        (module.path, table)
        for module in modules_of_nouns(source)
        for table in tables_of(source, module).written
        if owners()[table] != module.noun and not _writes_only_own_columns(source, module, table)
    }


def writers_of_foreign_columns(source: Source) -> Iterator[str]:
    """Writes of a column that another noun owns."""
    for module in modules_of_nouns(source):
        for (table, column), owner in COLUMN_OWNERS.items():
            if module.noun != owner and column in columns_written(source, module, table):
                yield f"{module.path} writes {table}.{column}, which {owner} owns"


def columns_written(source: Source, module: Module, table: str) -> set[str]:
    """Columns of `table` that a module's INSERT and UPDATE statements name."""
    columns: set[str] = set()
    for _, text in strings(module.tree):
        if is_sql(text) and table in tables_in(text).written:
            columns |= _columns_in(text, table)
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=statement, attr="values")) if table in {
                _written(source, module, inner) for inner in ast.walk(statement)
            }:
                columns |= _keys(module, node)
    return columns


def _writes_only_own_columns(source: Source, module: Module, table: str) -> bool:
    written = columns_written(source, module, table)
    # Every change also sets its time.
    changed = written - {"updated_at"}
    return bool(changed) and all(COLUMN_OWNERS.get((table, column)) == module.noun for column in changed)


def _columns_in(sql: str, table: str) -> set[str]:
    columns: set[str] = set()
    for match in re.finditer(
        rf"\bUPDATE\s+{table}\b(?:\s+\w+)?\s+SET\s+(.*?)(?:\bFROM\b|\bWHERE\b|\bRETURNING\b|$)", sql, re.DOTALL
    ):
        columns.update(re.findall(r"(?:^|,)\s*(\w+)\s*=", _without_brackets(match.group(1))))
    for match in re.finditer(rf"\bINSERT\s+INTO\s+{table}\s*\(([^)]*)\)", sql):
        columns.update(name.strip() for name in match.group(1).split(","))
    return columns


def _without_brackets(text: str) -> str:
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


def _keys(module: Module, call: ast.Call) -> set[str]:
    """Names of columns in `.values(...)`.

    They are its keywords or, when it is given a dictionary, the keys of every dictionary that the module builds.
    """
    keys = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Dict):
                keys |= {key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    return keys


def _model(source: Source, module: Module, node: ast.AST) -> str | None:
    """The table of a model class that a name refers to."""
    found = source.resolve(module, node)
    return models().get(f"{found[0].name}.{found[1]}") if found else None


def _written(source: Source, module: Module, node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[table, *_]) if name in _WRITERS:
            return _model(source, module, table)
    return None


def sql_outside_statements(source: Source) -> Iterator[str]:
    """SQL text outside `statements.py` and the kernel; other files build statements from columns."""
    for module in modules_of_nouns(source):
        if module.noun == "kernel" or module.path.endswith("/statements.py"):
            continue
        for line, text in strings(module.tree):
            if is_sql(text):
                yield f"{module.path} line {line}: {' '.join(text.split())[:60]}"
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(func=ast.Name(id=name)) if module.imports.get(name) == "sqlalchemy.text":
                    yield f"{module.path} line {node.lineno}: text()"
