"""What a full build leaves for the refreshes after it: every model's compiled SQL, its key and how its parents' rows
name that key.

The plan lies in the state file, so it always belongs to the tables there.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import duckdb

from transforms.errors import PlanError
from warehouse.lake.read import quote

Manifest = Mapping[str, Any]  # Any: dbt's manifest is a JSON document of its own schema

_KEPT = {"lake", "build", "derived"}
MARTS, FEATURES = "main", "features"


@dataclass(frozen=True)
class Link:
    """How a changed row of one parent names keys of the model.

    `columns`: key column -> column of the parent, or of `via` when that is set. `via`: a parent in which the row is
    looked up, where `on` (column of the row -> column of `via`) is equal.
    """

    columns: Mapping[str, str]
    via: str | None = None
    on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parent:
    """A parent of a model. `read`: the columns that the model reads; a change of another one changes nothing.

    Without links a change of the parent recomputes the whole model. `at`: the column with the moment from which its row
    counts, of a model that is recomputed from a moment on. `row_by_row`: each row of it becomes at most one of the
    model, of the same moment.
    """

    name: str
    read: tuple[str, ...]
    links: tuple[Link, ...]
    at: str = ""
    row_by_row: bool = False


@dataclass(frozen=True)
class DataTest:
    """A data test of one model, run on its touched rows.

    `other`: the relation that a relationship looks them up in, where its column `there` is their `here`.
    """

    name: str
    sql: str
    other: str = ""
    here: str = ""
    there: str = ""


@dataclass(frozen=True)
class Node:
    """A source table or a model. `columns`: name -> type. `sql`: none for a source.

    `key`: the columns whose values are recomputed together; none: the whole table is. `since`: the column with a row's
    moment, where a parent's row changes no row of an earlier moment: only the later ones are replaced.
    """

    name: str
    relation: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    since: str = ""
    sql: str = ""
    is_view: bool = False
    parents: tuple[Parent, ...] = ()
    tests: tuple[DataTest, ...] = ()

    @property
    def schema(self) -> str:
        return self.relation.split(".")[1].strip('"')

    @property
    def waiting(self) -> str:
        """The table of its changes that features do not have yet."""
        return f'refresh."{self.name}__waiting"'

    @property
    def listed(self) -> str:
        """The columns as SQL, in the table's order."""
        return quoted(self.columns)


@dataclass(frozen=True)
class Mart:
    """A published table. `key`: as its node's; none also when only a full build makes it. `comments`: by column."""

    name: str
    description: str
    key: tuple[str, ...]
    comments: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Sources, then models, parents before children; and what is published.

    `models`: what marts are made of; `features`: what features alone are made of, and the features themselves.
    """

    sources: tuple[Node, ...]
    models: tuple[Node, ...]
    features: tuple[Node, ...]
    marts: tuple[Mart, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (*self.sources, *self.models, *self.features)

    @property
    def published(self) -> tuple[Node, ...]:
        """The published tables that refreshes keep up to date."""
        marts = {mart.name for mart in self.marts}
        return tuple(node for node in (*self.models, *self.features) if node.name in marts or node.schema == FEATURES)

    @property
    def handed_over(self) -> tuple[Node, ...]:
        """What features are made of and refreshes of the marts change; its changes wait for the features."""
        read = {parent.name for node in self.features for parent in node.parents}
        return tuple(node for node in (*self.sources, *self.models) if node.name in read)

    def node(self, name: str) -> Node:
        """Raises KeyError."""
        return next(node for node in self.nodes if node.name == name)


def store_plan(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Write the plan into the state file that `con` has open."""
    con.execute("CREATE SCHEMA IF NOT EXISTS refresh")
    con.execute("CREATE OR REPLACE TABLE refresh.plan (document VARCHAR)")
    con.execute("INSERT INTO refresh.plan VALUES (?)", [json.dumps(asdict(plan))])


def load_plan(con: duckdb.DuckDBPyConnection) -> Plan:
    """The plan of the state file that `con` has open."""
    row = con.execute("SELECT document FROM refresh.plan").fetchone()
    if row is None:
        raise PlanError("the state file has no plan: a full build writes it")
    raw = json.loads(row[0])
    return Plan(
        sources=tuple(_node(item) for item in raw["sources"]),
        models=tuple(_node(item) for item in raw["models"]),
        features=tuple(_node(item) for item in raw["features"]),
        marts=tuple(Mart(**{**item, "key": tuple(item["key"])}) for item in raw["marts"]),
    )


def _node(raw: dict[str, Any]) -> Node:  # Any: JSON that store_plan wrote
    parents = tuple(
        Parent(**{**item, "read": tuple(item["read"]), "links": tuple(Link(**link) for link in item["links"])})
        for item in raw["parents"]
    )
    tests = tuple(DataTest(**item) for item in raw["tests"])
    return Node(**{**raw, "key": tuple(raw["key"]), "parents": parents, "tests": tests})


def make_plan(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> Plan:
    """The plan of the build whose tables `con` has open and whose manifest holds the compiled SQL.

    It covers marts, features and what they are made of. A model that also reads a source which is not kept in the
    state file stays as the full build made it.
    """
    nodes = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    in_marts = set(_kept(nodes, manifest["sources"], MARTS))
    kept = _kept(nodes, manifest["sources"], MARTS, FEATURES)
    tables = _columns(con)
    sources: dict[str, Node] = {}
    models: dict[str, Node] = {}
    for key in kept:
        for parent in nodes[key]["depends_on"]["nodes"]:
            if parent in manifest["sources"]:
                source = manifest["sources"][parent]
                columns = {name: kind for name, kind in tables[_place(source)].items() if not name.startswith("_")}
                sources[parent] = Node(source["name"], source["relation_name"], columns)
    tests = _tests(manifest)
    for key in kept:
        models[key] = _model(con, nodes[key], {**sources, **models}, tables[_place(nodes[key])], tests.get(key, ()))
    keys = {node.name: node.key for node in models.values()}
    marts = [node for node in nodes.values() if node["schema"] == MARTS]
    return Plan(
        tuple(sources.values()),
        tuple(node for key, node in models.items() if key in in_marts),
        tuple(node for key, node in models.items() if key not in in_marts),
        tuple(_mart(node, keys.get(node["name"], ())) for node in sorted(marts, key=lambda node: str(node["name"]))),
    )


def declared(node: Mapping[str, Any]) -> dict[str, Any] | None:  # Any: as in `Manifest`
    """`meta.refresh` of a model in the manifest; None when it says nothing about refreshes."""
    found: dict[str, Any] | None = node["config"].get("meta", {}).get("refresh")
    return found


def _kept(nodes: Manifest, sources: Manifest, *schemas: str) -> list[str]:
    """Unique ids of the models of these schemas that refreshes keep up to date and of all they read, parents first."""
    order: list[str] = []
    able: dict[str, bool] = {}

    def visit(key: str) -> bool:
        if key in sources:
            return sources[key]["source_name"] in _KEPT
        if key not in able:
            parents = [visit(parent) for parent in nodes[key]["depends_on"]["nodes"]]
            able[key] = all(parents)
            if able[key]:
                order.append(key)
        return able[key]

    wanted: set[str] = set()

    def want(key: str) -> None:
        if key in nodes and key not in wanted:
            wanted.add(key)
            for parent in nodes[key]["depends_on"]["nodes"]:
                want(parent)

    for key, node in sorted(nodes.items()):
        if node["schema"] in schemas and visit(key):
            want(key)
    return [key for key in order if key in wanted]


def _columns(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], dict[str, str]]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    query = (
        "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = current_database() ORDER BY schema_name, table_name, column_index"
    )
    for schema, table, column, kind in con.execute(query).fetchall():
        found.setdefault((schema, table), {})[column] = kind
    return found


def _place(node: Mapping[str, Any]) -> tuple[str, str]:  # Any: as in `Manifest`
    return str(node["schema"]), str(node.get("alias") or node.get("identifier") or node["name"])


def _model(
    con: duckdb.DuckDBPyConnection,
    node: Mapping[str, Any],  # Any: as in `Manifest`
    known: Mapping[str, Node],
    columns: Mapping[str, str],
    tests: Sequence[DataTest],
) -> Node:
    said = declared(node) or {}
    key, sql = tuple(said.get("key", ())), str(node["compiled_code"])
    is_view = node["config"]["materialized"] == "view"
    above = [known[parent] for parent in node["depends_on"]["nodes"]]
    if is_view and len(above) != 1:
        raise PlanError(f"{node['name']} is a view of {len(above)} tables: a view reads one, row by row")
    since = str(said.get("since", ""))
    missing = [column for column in (*key, *([since] if since else ())) if column not in columns]
    if missing:
        raise PlanError(f"{node['name']} has no column {', '.join(missing)}, which its refresh key names")
    links = _links(node["name"], said.get("links", ()), key, {parent.name for parent in above})
    moments = _moments(node["name"], said, since, above)
    parents = tuple(
        _parent(
            parent,
            _read(con, sql, parent),
            links.get(parent.name) or _by_name(key, parent),
            moments.get(parent.name, ""),
            row_by_row=parent.name in said.get("row_by_row", ()),
        )
        for parent in above
    )
    return Node(node["name"], node["relation_name"], columns, key, since, sql, is_view, parents, tuple(tests))


def _parent(node: Node, read: Collection[str], links: tuple[Link, ...], at: str, *, row_by_row: bool) -> Parent:
    """The links read columns too, and so does the moment."""
    linked = {column for link in links for column in (link.on if link.via else link.columns.values())}
    names = tuple(name for name in node.columns if name in {*read, *linked, at})
    return Parent(node.name, names, links, at, row_by_row)


def _moments(
    model: str,
    said: Mapping[str, Any],  # Any: YAML
    since: str,
    parents: Sequence[Node],
) -> dict[str, str]:
    """Parent -> its column with a row's moment: the one declared, or the one of the model's own name."""
    given: dict[str, str] = dict(said.get("at", {}))
    known = {parent.name: parent.columns for parent in parents}
    wrong = [
        f"{parent}.{column}" if column else parent
        for parent, column in (*given.items(), *((name, "") for name in said.get("row_by_row", ())))
        if parent not in known or (column and column not in known[parent])
    ]
    if wrong or (not since and (given or said.get("row_by_row"))):
        raise PlanError(f"{model} does not read {', '.join(wrong) or 'a moment'}, which its refresh moments name")
    return {name: since for name, columns in known.items() if since and since in columns} | given


def _links(
    model: str,
    said: Sequence[Mapping[str, Any]],  # Any: YAML
    key: tuple[str, ...],
    parents: set[str],
) -> dict[str, tuple[Link, ...]]:
    found: dict[str, tuple[Link, ...]] = {}
    for link in said:
        parent, via, on = link["parent"], link.get("via"), link.get("on", {})
        unknown = {parent, via or parent} - parents
        if unknown:
            raise PlanError(f"{model} does not read {', '.join(sorted(unknown))}, which its refresh links name")
        columns = {column: link.get("columns", {}).get(column, column) for column in key}
        made = Link(columns, via, {on: on} if isinstance(on, str) else dict(on))
        found[parent] = (*found.get(parent, ()), made)
    return found


def _by_name(key: tuple[str, ...], parent: Node) -> tuple[Link, ...]:
    """Columns of the same names, when the parent has them all."""
    return (Link({column: column for column in key}),) if key and set(key) <= set(parent.columns) else ()


def _read(con: duckdb.DuckDBPyConnection, sql: str, parent: Node) -> tuple[str, ...]:
    """The parent's columns that the SQL reads.

    A name that does not occur in the text is not read when the SQL has the same result columns without it.
    """
    words = set(re.findall(r"\w+", sql))
    unread = [name for name in parent.columns if name not in words]
    if unread and len(unread) < len(parent.columns):
        without = f"(SELECT * EXCLUDE ({quoted(unread)}) FROM {parent.relation})"
        name = f'"{parent.name}"'
        bound = f"WITH {name} AS {without} SELECT * FROM ({sql.replace(parent.relation, name)}\n)"
        try:
            if _result(con, bound) == _result(con, f"SELECT * FROM ({sql}\n)"):
                return tuple(column for column in parent.columns if column not in unread)
        except duckdb.BinderException:  # a star reads it
            pass
    return tuple(parent.columns)


def _result(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, str]]:
    return [(str(name), str(kind)) for name, kind, *_ in con.execute(f"DESCRIBE {sql}").fetchall()]


def quoted(names: Iterable[str]) -> str:
    """Names as a list in SQL."""
    return ", ".join(quote(name) for name in names)


def _tests(manifest: Manifest) -> dict[str, list[DataTest]]:
    """Generic data tests by the model they are attached to. Tests over several models run at night only."""
    found: dict[str, list[DataTest]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and node.get("attached_node") and node.get("compiled_code"):
            found.setdefault(node["attached_node"], []).append(_test(node, manifest["nodes"]))
    return found


def _test(node: Mapping[str, Any], nodes: Manifest) -> DataTest:  # Any: as in `Manifest`
    made = DataTest(node["name"], node["compiled_code"])
    said = node.get("test_metadata") or {}
    others = [name for name in node["depends_on"]["nodes"] if name != node["attached_node"]]
    if said.get("name") != "relationships" or len(others) != 1:
        return made
    return replace(
        made,
        other=nodes[others[0]]["relation_name"],
        here=said["kwargs"]["column_name"],
        there=said["kwargs"]["field"],
    )


def looked_up(plan: Plan) -> dict[str, set[str]]:
    """Relation -> columns that refreshes look up rows by, one at a time. A view stands for its source."""
    nodes = {node.name: node for node in plan.nodes}
    found: dict[str, set[str]] = {}

    def add(name: str, columns: Iterable[str]) -> None:
        node, listed = nodes[name], list(columns)
        while node.is_view:
            node = nodes[node.parents[0].name]
        if len(listed) == 1 and listed[0] in node.columns:
            found.setdefault(node.relation, set()).add(listed[0])

    for model in (*plan.models, *plan.features):
        if not model.is_view:
            add(model.name, model.key)
        for parent in model.parents:
            for link in parent.links:
                add(link.via or parent.name, link.columns.values())
                if link.via:
                    add(link.via, link.on.values())
                    add(parent.name, link.on)
    return found


def _mart(node: Mapping[str, Any], key: tuple[str, ...]) -> Mart:  # Any: as in `Manifest`
    comments = {str(column["name"]): str(column["description"]) for column in node["columns"].values()}
    return Mart(str(node["name"]), str(node["description"]).strip(), key, comments)
