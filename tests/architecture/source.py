"""The shop's source for the rules: modules, what their names refer to, and the tables that SQL reads and writes."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from api import nouns
from api.kernel.db import Base

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef

_SQL = re.compile(
    r"\b(SELECT\b.*\bFROM|INSERT\s+INTO|UPDATE\s+\w+|DELETE\s+FROM|(LEFT |FULL |INNER )?JOIN\s+\w+|^\s*FROM\s+\w+)",
    re.DOTALL,
)
_TOKEN = re.compile(r"'(?:[^']|'')*'|--[^\n]*|[A-Za-z_]\w*|[(),;=.]|\S")
# Keywords that end a list of tables.
_END_OF_FROM = {
    "WHERE",
    "GROUP",
    "ORDER",
    "LIMIT",
    "SET",
    "RETURNING",
    "HAVING",
    "WINDOW",
    "UNION",
    "SELECT",
    "VALUES",
    "FOR",
}


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a statement.

    Read: names after FROM, JOIN and USING. Written: names after INSERT INTO, UPDATE and DELETE FROM.
    """

    read: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()

    def __or__(self, other: "Tables") -> "Tables":
        return Tables(self.read | other.read, self.written | other.written)

    @property
    def all(self) -> frozenset[str]:
        return self.read | self.written


@dataclass(frozen=True, eq=False)
class Module:
    """`imports`: local name -> dotted name. `names`: what the module defines at its top level."""

    name: str
    path: str
    tree: ast.Module
    imports: Mapping[str, str]
    names: Mapping[str, ast.AST]

    @property
    def noun(self) -> str:
        return self.name.split(".")[1]

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Functions of the top level by name, methods as `Class.name`."""
        for node in self.tree.body:
            if isinstance(node, Function):
                yield node.name, node
            elif isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, Function):
                        yield f"{node.name}.{inner.name}", inner


@dataclass(frozen=True, slots=True)
class Source:
    """Modules by dotted name. `changed`: the only ones that rules of single modules need to judge again."""

    modules: Mapping[str, Module] = field(default_factory=dict)
    changed: Sequence[Module] | None = None

    @property
    def judged(self) -> Collection[Module]:
        """All modules, or those that differ from a source that was judged as a whole."""
        return self.modules.values() if self.changed is None else self.changed

    def resolve(self, module: Module, expression: ast.AST) -> tuple[Module, str] | None:
        """Where a name or `module.name` is defined in this source; None for other expressions."""
        match expression:
            case ast.Name(id=name) if name in module.names:
                return module, name
            case ast.Name(id=name) if name in module.imports:
                place, _, last = module.imports[name].rpartition(".")
                return (self.modules[place], last) if place in self.modules else None
            case ast.Attribute(value=ast.Name(id=name), attr=last) if module.imports.get(name) in self.modules:
                return self.modules[module.imports[name]], last
        return None


@cache
def tree_of(path: Path) -> ast.Module:
    """What a file of the repository says. Parsed once for all rules: nothing may change the tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module_of(path: str, tree: ast.Module) -> Module:
    """A module from its tree; `path` is relative to the repository."""
    imports: dict[str, str] = {}
    names: dict[str, ast.AST] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            imports.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names[node.name] = node
            case ast.Assign(targets=targets, value=value):
                names.update({target.id: value for target in targets if isinstance(target, ast.Name)})
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                names[name] = value
    dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Module(dotted, path, tree, imports, names)


def source_of(files: Mapping[str, str]) -> Source:
    """A source from texts by path."""
    return _source({path: ast.parse(text) for path, text in files.items()})


def _source(trees: Mapping[str, ast.Module]) -> Source:
    modules = [module_of(path, tree) for path, tree in trees.items()]
    return Source({module.name: module for module in modules})


@cache
def shop() -> Source:
    """Every Python file of `api` except the migrations."""
    paths = sorted(path.relative_to(ROOT) for path in (ROOT / "api").rglob("*.py") if "migrations" not in path.parts)
    return _source({str(path): tree_of(ROOT / path) for path in paths})


def with_file(path: str, text: str) -> Source:
    """The shop with one file replaced or added."""
    module = module_of(path, ast.parse(text))
    return Source({**shop().modules, module.name: module}, [module])


@cache
def owners() -> Mapping[str, str]:
    """Table -> noun."""
    return nouns.table_owners()


@cache
def models() -> Mapping[str, str]:
    """Dotted name of a model class -> its table."""
    nouns.metadata()
    return {
        f"{mapper.class_.__module__}.{mapper.class_.__name__}": str(mapper.class_.__tablename__)
        for mapper in Base.registry.mappers
    }


def is_sql(text: str) -> bool:
    """Whether a string is SQL or a part of it."""
    return _SQL.search(text) is not None


def tables_in(sql: str) -> Tables:
    """The shop's tables that a text names, without CTEs."""
    read: set[str] = set()
    written: set[str] = set()
    in_from = [False]
    before = ""
    expecting: set[str] | None = None
    for token in _TOKEN.findall(sql):
        word = token.upper()
        if token.startswith(("'", "--")):
            continue
        if expecting is not None and re.fullmatch(r"[a-z_]\w*", token):
            expecting.add(token)
            expecting = None
        elif word in {"ONLY", "LATERAL"}:
            continue
        else:
            expecting = None
            if word == "(":
                in_from.append(False)
            elif word == ")":
                in_from = in_from[:-1] or [False]
            elif word == "," and in_from[-1]:
                expecting = read
            elif word == "FROM" and before != "DISTINCT":
                expecting = written if before == "DELETE" else read
                in_from[-1] = before != "DELETE"
            elif word in {"JOIN", "USING"}:
                expecting = read
                in_from[-1] = True
            elif word == "INTO" or (word == "UPDATE" and before not in {"FOR", "DO", "KEY"}):
                expecting = written
            elif word in _END_OF_FROM:
                in_from[-1] = False
        before = word
    known = owners()
    return Tables(
        frozenset(name for name in read if name in known), frozenset(name for name in written if name in known)
    )


def strings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string in the code with its line. An f-string counts as one; docstrings do not count."""
    skipped: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant):
            skipped.add(id(inner.value))
        if isinstance(inner, ast.JoinedStr):
            skipped.update(id(part) for part in inner.values)
            parts = (part.value if isinstance(part, ast.Constant) else " x " for part in inner.values)
            yield inner.lineno, "".join(map(str, parts))
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str) and id(inner) not in skipped:
            yield inner.lineno, inner.value
