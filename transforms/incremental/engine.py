"""One refresh: the lake's changes, then every model that reads a changed row, recomputed for the keys of those rows.

Everything happens in one transaction of the state file, with the new watermark: a refresh is there as a whole or not.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from transforms.errors import RefreshFailed
from transforms.incremental.changes import Delta, changed_sources, create, delete, difference, log_position
from transforms.incremental.plan import Link, Node, Parent, Plan, quoted
from warehouse.lake.read import Watermark

# The row that says when the marts were built; it differs between a build and a refresh by its nature.
WATERMARK = "mart_watermark"


@dataclass
class Refreshed:
    """What one refresh changed: rows that went or came, by table."""

    watermark: Watermark
    rows: dict[str, int] = field(default_factory=dict)

    def changes_marts(self, plan: Plan) -> bool:
        """Whether a row of a mart changed, other than the one that says how far they are."""
        return any(self.rows.get(mart.name) for mart in plan.marts if mart.name != WATERMARK)


@dataclass(frozen=True)
class _Result:
    """A model's change: `rows` is the relation of its touched rows as they are now, `keys` that of their keys."""

    delta: Delta
    rows: str = ""
    keys: str = ""


def refresh_state(
    con: duckdb.DuckDBPyConnection, plan: Plan, lake_uri: str, watermark: Watermark, built_at: datetime
) -> Refreshed:
    """Bring the state file that `con` has open to `watermark`, inside the caller's transaction.

    Raises RefreshFailed when a data test fails on a touched row; the caller rolls back.
    """
    done = Refreshed(watermark)
    deltas: dict[str, Delta] = {}
    for source, delta in changed_sources(con, plan, lake_uri, watermark, built_at):
        deltas[source.name] = delta
        done.rows[source.name] = delta.rows
    results: list[tuple[Node, _Result]] = []
    for number, model in enumerate(plan.models):
        found = _refresh_model(con, plan, model, deltas, f"m{number}")
        if found is not None:
            deltas[model.name] = found.delta
            done.rows[model.name] = found.delta.rows
            results.append((model, found))
    failures = [
        failure
        for model, found in results
        if found.rows and model.tests
        for failure in _failures(con, model, found.rows)
    ]
    if failures:
        raise RefreshFailed(failures)
    _remember(con, plan, results, watermark)
    return done


def _refresh_model(
    con: duckdb.DuckDBPyConnection, plan: Plan, model: Node, deltas: dict[str, Delta], name: str
) -> _Result | None:
    """Recompute what the changed rows name; None when no row of the model changed."""
    read = [
        (parent, _on_read(con, plan.node(parent.name), parent, deltas[parent.name], f"{name}_{number}"))
        for number, parent in enumerate(model.parents)
        if parent.name in deltas
    ]
    changed = [(parent, delta) for parent, delta in read if delta.rows]
    if not changed:
        return None
    if model.is_view:
        delta = _through_view(con, plan, model, changed[0][1], name)
        return _Result(delta) if delta.rows else None
    before = f"SELECT {model.listed} FROM {model.relation}"
    if model.key and all(parent.links for parent, _ in changed):
        create(con, f"{name}_keys", _keys(model, plan, changed))
        before = f"{before} {_semi(model, f'{name}_keys')}"
        create(con, f"{name}_all", _recomputed(plan, model, f"{name}_keys"))
    else:
        create(con, f"{name}_all", f"SELECT {_cast(model)} FROM ({model.sql}\n)")
    delta = difference(con, before, f"FROM {name}_all", name)
    return _replaced(con, model, delta, name) if delta.rows else None


def _replaced(con: duckdb.DuckDBPyConnection, model: Node, delta: Delta, name: str) -> _Result:
    """Put the recomputed rows of the keys that changed in the place of the old ones."""
    if not model.key:
        con.execute(f"DELETE FROM {model.relation}")
        con.execute(f"INSERT INTO {model.relation} SELECT * FROM {name}_all")
        return _Result(delta, f"{name}_all")
    touched, rows = f"{name}_touched", f"{name}_new"
    create(con, touched, f"SELECT DISTINCT {quoted(model.key)} FROM {delta.table}")
    create(con, rows, f"SELECT * FROM {name}_all {_semi(model, touched)}")
    delete(con, model.relation, touched, model.key)
    con.execute(f"INSERT INTO {model.relation} SELECT * FROM {rows}")
    return _Result(delta, rows, touched)


def _on_read(con: duckdb.DuckDBPyConnection, node: Node, parent: Parent, delta: Delta, name: str) -> Delta:
    """The parent's change in the columns that the model reads."""
    if len(parent.read) == len(node.columns):
        return delta
    listed = quoted(parent.read)
    query = f"SELECT {listed}, sum(_n) AS _n FROM {delta.table} GROUP BY {listed} HAVING sum(_n) <> 0"
    return Delta(f"{name}_delta", create(con, f"{name}_delta", query))


def _through_view(con: duckdb.DuckDBPyConnection, plan: Plan, model: Node, delta: Delta, name: str) -> Delta:
    """A view maps each row of its parent to at most one row, so the change passes through its SQL."""
    relation = plan.node(model.parents[0].name).relation
    before, after = (
        f"SELECT {model.listed} FROM ({model.sql.replace(relation, f'({side})')}\n)"
        for side in (delta.gone(), delta.come())
    )
    return difference(con, before, after, name)


def _keys(model: Node, plan: Plan, changed: list[tuple[Parent, Delta]]) -> str:
    """A SELECT of the keys that the changed rows name, old and new."""
    parts = [_named(link, plan, delta.table) for parent, delta in changed for link in parent.links]
    known = " AND ".join(f'"{column}" IS NOT NULL' for column in model.key)
    return f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) WHERE {known}"


def _named(link: Link, plan: Plan, side: str) -> str:
    columns = ", ".join(f'row_."{column}" AS "{key}"' for key, column in link.columns.items())
    if link.via is None:
        return f"SELECT {columns} FROM {side} AS row_"
    on = " AND ".join(f'row_."{there}" = changed_."{here}"' for here, there in link.on.items())
    return f"SELECT {columns} FROM {plan.node(link.via).relation} AS row_ SEMI JOIN {side} AS changed_ ON {on}"


def _recomputed(plan: Plan, model: Node, keys: str) -> str:
    """The model's own SQL on the parents' rows of these keys."""
    sql, parts = model.sql, []
    for parent in model.parents:
        if parent.links:
            relation = plan.node(parent.name).relation
            parts.append(f'"{parent.name}" AS ({_restricted(plan, parent, relation, keys)})')
            sql = sql.replace(relation, f'"{parent.name}"')
    return f"WITH {', '.join(parts)} SELECT * FROM (SELECT {_cast(model)} FROM ({sql}\n)) {_semi(model, keys)}"


def _restricted(plan: Plan, parent: Parent, relation: str, keys: str) -> str:
    """The parent's rows that can belong to one of the keys."""
    if len(parent.links) == 1 and parent.links[0].via is None:
        return f"SELECT row_.* FROM {relation} AS row_ SEMI JOIN {keys} AS key_ ON {_matches(parent.links[0])}"
    conditions = []
    for link in parent.links:
        if link.via is None:
            columns = ", ".join(f'row_."{column}"' for column in link.columns.values())
            names = quoted(link.columns)
            conditions.append(f"({columns}) IN (SELECT ({names}) FROM {keys})")
        else:
            here = ", ".join(f'row_."{column}"' for column in link.on)
            there = ", ".join(f'row_."{column}"' for column in link.on.values())
            inner = (
                f"SELECT ({there}) FROM {plan.node(link.via).relation} AS row_ SEMI JOIN {keys} AS key_"
                f" ON {_matches(link)}"
            )
            conditions.append(f"({here}) IN ({inner})")
    return f"SELECT row_.* FROM {relation} AS row_ WHERE {' OR '.join(conditions)}"


def _matches(link: Link) -> str:
    return " AND ".join(f'row_."{column}" = key_."{key}"' for key, column in link.columns.items())


def _semi(model: Node, keys: str) -> str:
    return f"SEMI JOIN {keys} USING ({quoted(model.key)})"


def _cast(model: Node) -> str:
    return ", ".join(f'"{name}"::{kind} AS "{name}"' for name, kind in model.columns.items())


def _failures(con: duckdb.DuckDBPyConnection, model: Node, rows: str) -> list[str]:
    """Names of the model's data tests that its touched rows break, each with the number of rows."""
    counted = " UNION ALL ".join(
        f"SELECT '{test.name}', count(*) FROM ({test.sql.replace(model.relation, rows)}\n)" for test in model.tests
    )
    found = con.execute(f"SELECT * FROM ({counted}) AS found(test, failing) WHERE failing > 0").fetchall()
    return [f"{test}: {count} rows of {model.name}" for test, count in found]


def _remember(
    con: duckdb.DuckDBPyConnection, plan: Plan, results: list[tuple[Node, _Result]], watermark: Watermark
) -> None:
    """Note the keys whose rows differ from the published base files, and the lake's versions."""
    published = {mart.name for mart in plan.marts}
    for model, result in results:
        if model.name not in published:
            continue
        if not result.keys:
            con.execute("DELETE FROM refresh.base WHERE mart = ?", [model.name])
        else:
            noted = f'refresh."{model.name}"'
            con.execute(f"INSERT INTO {noted} SELECT * FROM {result.keys} EXCEPT SELECT * FROM {noted}")
    versions = {name: log_position(version) for name, version in watermark.versions.items()}
    con.execute("UPDATE refresh.position SET versions = ?", [json.dumps(versions)])
