"""One refresh: the lake's changes, then every model that reads a changed row, recomputed for the keys of those rows.

Everything happens in one transaction of the state file, with the new watermark: a refresh is there as a whole or not.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb

from transforms.errors import RefreshFailed
from transforms.incremental import corrections
from transforms.incremental.changes import Delta, changed_sources, count, create, delete, difference, got, log_position
from transforms.incremental.plan import DataTest, Link, Node, Parent, Plan, quoted
from warehouse.lake.read import Watermark

# The row that says when the marts were built; it differs between a build and a refresh by its nature.
WATERMARK = "mart_watermark"
# The changed keys of so many refreshes are kept, at least, for the published file.
_NOTES = 100
# Kind of a withheld key -> the column that holds it, and the tables in which a change may mend it; none: in all.
_WITHHELD: dict[str, tuple[str, set[str]]] = {
    "order": ("order_id", set()),
    "product": ("product_id", {"products", "product_variants"}),
    "seller": ("seller_id", {"sellers"}),
}


@dataclass
class Refreshed:
    """What one refresh changed: rows that went or came, by table.

    `reconsidered`: withheld keys whose rows changed: only a full build can tell whether they are mended.
    """

    watermark: Watermark
    rows: dict[str, int] = field(default_factory=dict)
    reconsidered: tuple[str, ...] = ()

    def changes_marts(self, plan: Plan) -> bool:
        """Whether a row of a mart changed, other than the one that says how far they are."""
        return any(self.rows.get(mart.name) for mart in plan.marts if mart.name != WATERMARK)


@dataclass(frozen=True)
class _Result:
    """A model's change: `rows` is the relation of the touched keys' rows as they are now, `keys` that of the keys."""

    delta: Delta
    rows: str = ""
    keys: str = ""


def refresh_state(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    lake_uri: str,
    watermark: Watermark,
    built_at: datetime,
    *,
    published: bool = True,
) -> Refreshed:
    """Bring the state file that `con` has open to `watermark`, inside the caller's transaction.

    What changes the closed days of a `published` state is restated. Raises RefreshFailed when a data test fails
    on a touched row; the caller rolls back.
    """
    done, closed = Refreshed(watermark), corrections.open_day(con)
    deltas: dict[str, Delta] = {}
    for source, delta in changed_sources(con, plan, lake_uri, watermark, built_at):
        deltas[source.name] = delta
        done.rows[source.name] = delta.rows
    done.reconsidered = _reconsidered(con, plan, deltas)
    results = _refresh_models(con, plan, plan.models, deltas, "m")
    if published and corrections.note_refresh(con, deltas, closed):
        results += replace_corrections(con, plan, corrections.WITH_NEW)
    for model, found in results:
        done.rows[model.name] = done.rows.get(model.name, 0) + found.delta.rows
    _hand_over(con, plan, deltas)
    _remember(con, plan, results, watermark)
    if done.reconsidered:
        text = f"withheld rows have changed, a build decides about them: {', '.join(done.reconsidered)}"
        con.execute("UPDATE refresh.state SET needs_build = ?", [text])
    return done


def replace_corrections(con: duckdb.DuckDBPyConnection, plan: Plan, query: str) -> list[tuple[Node, "_Result"]]:
    """Put the rows of a query in the place of the corrections of closed days, and bring the models to them.

    Raises RefreshFailed as `refresh_state` does.
    """
    node = plan.node("corrections")
    create(con, "c_all", f"SELECT {node.listed} FROM ({query})")
    delta = difference(con, f"SELECT {node.listed} FROM {node.relation}", "FROM c_all", "c")
    if not delta.rows:
        return []
    con.execute(f"DELETE FROM {node.relation}")
    con.execute(f"INSERT INTO {node.relation} SELECT {node.listed} FROM c_all")
    deltas = {node.name: delta}
    results = _refresh_models(con, plan, plan.models, deltas, "c")
    _hand_over(con, plan, deltas)
    return results


def _hand_over(con: duckdb.DuckDBPyConnection, plan: Plan, deltas: dict[str, Delta]) -> None:
    """Put the changes of what features are made of aside."""
    for node in plan.handed_over:
        if node.name in deltas:
            con.execute(f"INSERT INTO {node.waiting} SELECT {node.listed}, _n FROM {deltas[node.name].table}")


def refresh_features(con: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Bring the features to where the marts are, inside the caller's transaction; returns changed rows by table.

    Raises RefreshFailed as `refresh_state` does.
    """
    deltas: dict[str, Delta] = {}
    for number, node in enumerate(plan.handed_over):
        name = f"w{number}"
        if count(con, node.waiting):
            query = f"SELECT {node.listed}, sum(_n)::BIGINT AS _n FROM {node.waiting} GROUP BY ALL HAVING sum(_n) <> 0"
            rows = create(con, name, query)
            if rows:
                deltas[node.name] = Delta(name, rows, count(con, f"{name} WHERE _n < 0"))
            con.execute(f"DELETE FROM {node.waiting}")
    results = _refresh_models(con, plan, plan.features, deltas, "f")
    return {model.name: found.delta.rows for model, found in results}


def _refresh_models(
    con: duckdb.DuckDBPyConnection, plan: Plan, models: tuple[Node, ...], deltas: dict[str, Delta], name: str
) -> list[tuple[Node, _Result]]:
    """Recompute models, parents first; adds their changes to `deltas`. Raises RefreshFailed."""
    results: list[tuple[Node, _Result]] = []
    for number, model in enumerate(models):
        found = _refresh_model(con, plan, model, deltas, f"{name}{number}")
        if found is not None:
            deltas[model.name] = found.delta
            results.append((model, found))
    failures = [
        failure
        for model, found in results
        if found.rows and model.tests
        for failure in _failures(con, model, found.rows)
    ]
    if failures:
        raise RefreshFailed(failures)
    return results


def _reconsidered(con: duckdb.DuckDBPyConnection, plan: Plan, deltas: dict[str, Delta]) -> tuple[str, ...]:
    """Withheld keys of which a source's row has changed."""
    if not count(con, "build.withheld"):
        return ()
    changed = [
        f"SELECT '{kind}' AS kind, {quoted([column])} AS key FROM {deltas[source.name].table}"
        for source in plan.sources
        if source.name in deltas
        for kind, (column, tables) in _WITHHELD.items()
        if column in source.columns and (not tables or source.name in tables)
    ]
    if not changed:
        return ()
    found = con.execute(
        f"SELECT DISTINCT kind, key FROM build.withheld SEMI JOIN ({' UNION ALL '.join(changed)}) USING (kind, key)"
        " ORDER BY ALL"
    ).fetchall()
    return tuple(f"{kind} {key}" for kind, key in found)


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
    if model.key and all(parent.links for parent, _ in changed):
        return _refresh_keys(con, plan, model, changed, name)
    return _refresh_whole(con, model, name)


def _refresh_keys(
    con: duckdb.DuckDBPyConnection, plan: Plan, model: Node, changed: list[tuple[Parent, Delta]], name: str
) -> _Result | None:
    """Recompute the rows of the keys that the parents' changes name, and put them in the place of the old ones."""
    keys, rows = f"{name}_keys", f"{name}_all"
    if not create(con, keys, _keys(model, plan, changed)):
        return None
    found = create(con, rows, f"SELECT row_.* FROM ({_recomputed(plan, model, keys)}) AS row_ {_of(model, keys)}")
    known = f"{model.relation} AS row_ {_of(model, keys)}"
    if not count(con, known):
        delta = got(rows, found)
    else:
        listed = ", ".join(f'row_."{column}"' for column in model.columns)
        delta = difference(con, f"SELECT {listed} FROM {known}", f"FROM {rows}", name)
        if delta.rows:
            delete(con, model.relation, keys, model.key, since=model.since)
    if not delta.rows:
        return None
    con.execute(f"INSERT INTO {model.relation} SELECT * FROM {rows}")
    return _Result(delta, rows, keys)


def _refresh_whole(con: duckdb.DuckDBPyConnection, model: Node, name: str) -> _Result | None:
    """Recompute the whole table, and replace the keys whose rows differ, or all rows when it has no key."""
    keys, rows, every = f"{name}_keys", f"{name}_new", f"{name}_all"
    create(con, every, f"SELECT {_cast(model)} FROM ({model.sql}\n)")
    delta = difference(con, f"SELECT {model.listed} FROM {model.relation}", f"FROM {every}", name)
    if not delta.rows:
        return None
    if not model.key:
        con.execute(f"DELETE FROM {model.relation}")
        con.execute(f"INSERT INTO {model.relation} SELECT * FROM {every}")
        return _Result(delta, every)
    create(con, keys, f"SELECT DISTINCT {quoted(model.key)} FROM {delta.table}")
    create(con, rows, f"SELECT * FROM {every} {_semi(model, keys)}")
    delete(con, model.relation, keys, model.key)
    con.execute(f"INSERT INTO {model.relation} SELECT * FROM {rows}")
    return _Result(delta, rows, keys)


def _on_read(con: duckdb.DuckDBPyConnection, node: Node, parent: Parent, delta: Delta, name: str) -> Delta:
    """The parent's change in the columns that the model reads."""
    if len(parent.read) == len(node.columns):
        return delta
    listed = quoted(parent.read)
    if delta.lost in {0, delta.rows}:  # nothing can cancel out
        return replace(delta, table=f"(SELECT {listed}, _n FROM {delta.table})")
    query = f"SELECT {listed}, sum(_n) AS _n FROM {delta.table} GROUP BY {listed} HAVING sum(_n) <> 0"
    rows = create(con, f"{name}_delta", query)
    return Delta(f"{name}_delta", rows, count(con, f"{name}_delta WHERE _n < 0") if rows else 0)


def _through_view(con: duckdb.DuckDBPyConnection, plan: Plan, model: Node, delta: Delta, name: str) -> Delta:
    """A view maps each row of its parent to at most one row, so the change passes through its SQL."""
    relation = plan.node(model.parents[0].name).relation
    before, after = (
        f"SELECT {model.listed} FROM ({model.sql.replace(relation, f'({side})')}\n)"
        for side in (delta.gone(), delta.come())
    )
    if not delta.lost:
        return got(f"{name}_all", create(con, f"{name}_all", after))
    return difference(con, before, after, name)


def _keys(model: Node, plan: Plan, changed: list[tuple[Parent, Delta]]) -> str:
    """A SELECT of the keys that the changed rows name, old and new; `_since`: the first moment that can differ."""
    parts = [
        _named(link, plan, delta.table, parent.at, since=bool(model.since))
        for parent, delta in changed
        for link in parent.links
    ]
    named = " UNION ALL ".join(parts)
    known = " AND ".join(f'"{column}" IS NOT NULL' for column in model.key)
    if not model.since:
        return f"SELECT DISTINCT * FROM ({named}) WHERE {known}"
    return f"SELECT {quoted(model.key)}, min(_since) AS _since FROM ({named}) WHERE {known} GROUP BY ALL"


def _named(link: Link, plan: Plan, side: str, at: str, *, since: bool) -> str:
    columns = ", ".join(f'row_."{column}" AS "{key}"' for key, column in link.columns.items())
    if since:
        moment = f'row_."{at}"' if at and link.via is None else "NULL"
        columns += f", coalesce({moment}, '-infinity'::TIMESTAMPTZ) AS _since"
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
    return f"WITH {', '.join(parts)} SELECT {_cast(model)} FROM ({sql}\n)"


def _restricted(plan: Plan, parent: Parent, relation: str, keys: str) -> str:
    """The parent's rows that can belong to one of the keys, from its moment on where earlier ones are not read."""
    if len(parent.links) == 1 and parent.links[0].via is None:
        matches = _matches(parent.links[0])
        if parent.row_by_row:
            matches += f' AND row_."{parent.at}" >= key_._since'
        return f"SELECT row_.* FROM {relation} AS row_ SEMI JOIN {keys} AS key_ ON {matches}"
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


def _of(model: Node, keys: str) -> str:
    """Keeps the rows `row_` of the keys, from each key's moment on."""
    same = " AND ".join(f'row_."{column}" = key_."{column}"' for column in model.key)
    moment = f' AND row_."{model.since}" >= key_._since' if model.since else ""
    return f"SEMI JOIN {keys} AS key_ ON {same}{moment}"


def _cast(model: Node) -> str:
    return ", ".join(f'"{name}"::{kind} AS "{name}"' for name, kind in model.columns.items())


def _failures(con: duckdb.DuckDBPyConnection, model: Node, rows: str) -> list[str]:
    """Names of the model's data tests that its touched rows break, each with the number of rows."""
    counted = " UNION ALL ".join(
        f"SELECT '{test.name}', count(*) FROM ({_on_rows(model, test, rows)}\n)" for test in model.tests
    )
    found = con.execute(f"SELECT * FROM ({counted}) AS found(test, failing) WHERE failing > 0").fetchall()
    return [f"{test}: {count} rows of {model.name}" for test, count in found]


def _on_rows(model: Node, test: DataTest, rows: str) -> str:
    """The test's SQL on the touched rows, and on those rows of another table that they name."""
    sql = test.sql.replace(model.relation, rows)
    if not test.other:
        return sql
    same = f'other_."{test.there}" = row_."{test.here}"'
    return sql.replace(test.other, f"(SELECT other_.* FROM {test.other} AS other_ SEMI JOIN {rows} AS row_ ON {same})")


def _remember(
    con: duckdb.DuckDBPyConnection, plan: Plan, results: list[tuple[Node, _Result]], watermark: Watermark
) -> None:
    """Note the keys that the next published file must replace, and the lake's versions."""
    con.execute("UPDATE refresh.state SET number = number + 1")
    row = con.execute("SELECT number FROM refresh.state").fetchone()
    number = int(row[0]) if row else 0
    published = {mart.name for mart in plan.marts}
    changed = [(model, result) for model, result in results if model.name in published]
    for model, result in changed:
        if result.keys:
            con.execute(f'INSERT INTO refresh."{model.name}" SELECT *, {number} FROM {result.keys}')
    if changed:
        listed = ", ".join(f"('{model.name}', {number})" for model, _ in changed)
        con.execute(f"INSERT INTO refresh.changed VALUES {listed}")
    if number % _NOTES == 0:
        _forget(con, plan, number - _NOTES)
    versions = {name: log_position(version) for name, version in watermark.versions.items()}
    con.execute("UPDATE refresh.position SET versions = ?", [json.dumps(versions)])


def _forget(con: duckdb.DuckDBPyConnection, plan: Plan, number: int) -> None:
    """A published file that is older than this refresh is made anew."""
    for mart in plan.marts:
        if mart.key:
            con.execute(f'DELETE FROM refresh."{mart.name}" WHERE _number <= {number}')
    con.execute(f"DELETE FROM refresh.changed WHERE number <= {number}")
    con.execute(f"UPDATE refresh.state SET since = {number}")
