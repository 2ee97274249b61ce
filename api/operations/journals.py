"""Postgres keeps the journals: for each append-only table of the models (`nouns.journals`) it refuses, for every role,
to change, remove or truncate rows.

The triggers are made equal to the models after the migrations, as the publication is: a table that is marked, or a
column that is added to one, needs no migration. A migration that must change a journal switches the table's triggers
off and on again within its transaction; the role of the application owns no table in a shop that is set up so, and
cannot.
"""

from typing import NamedTuple

from sqlalchemy import Connection, Table, text

from api.kernel.append_only import AppendOnly
from api.nouns import journals, metadata

FUNCTIONS = {
    "refuse_change_of_event": """
BEGIN
    RAISE EXCEPTION 'rows of % are never changed: they book what happened, add a row instead', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END """,
    # A row of a journal goes with its row of the table TG_ARGV[0], by the foreign key: then that row is gone already.
    "keep_row_of_journal": """
DECLARE
    stays boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I = $1.%I)', TG_ARGV[0], TG_ARGV[1], TG_ARGV[2])
        INTO stays USING OLD;
    IF stays THEN
        RAISE EXCEPTION 'rows of % go with their row of % only', TG_TABLE_NAME, TG_ARGV[0]
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END """,
}
# Those of migration 0010.
_REPLACED = ("keep_order_events", "keep_return_events")
_BODIES = text(
    "SELECT proname, prosrc FROM pg_proc WHERE proname = ANY(:names) AND pronamespace = 'public'::regnamespace"
)
_TRIGGERS = text(
    """
    SELECT t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled <> 'D'
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE p.proname = ANY(:names) AND NOT t.tgisinternal"""
)


class Key(NamedTuple):
    table: str
    trigger: str


def wanted() -> dict[Key, str]:
    """The triggers of the journals, each as Postgres itself writes it."""
    tables = metadata().tables
    return {key: text for name, mark in journals().items() for key, text in _triggers(tables[name], mark).items()}


def enforce(connection: Connection) -> list[Key]:
    """Make the functions and triggers equal to the models; returns the triggers that were not.

    One that is right is left alone: to make it again would wait for every writer of the table.
    """
    for name, body in FUNCTIONS.items():
        if _bodies(connection).get(name) != body:
            connection.execute(
                text(f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body${body}$body$")
            )
    there, should = _there(connection), wanted()
    wrong = [key for key in {**should, **there} if there.get(key) != should.get(key)]
    for key in wrong:
        connection.execute(text(f"DROP TRIGGER IF EXISTS {key.trigger} ON {key.table}"))
        if key in should:
            connection.execute(text(should[key]))
    for replaced in _REPLACED:
        connection.execute(text(f"DROP FUNCTION IF EXISTS {replaced}()"))
    return sorted(wrong)


def unenforced(connection: Connection) -> list[Key]:
    """The triggers that the database lacks, has otherwise, or has switched off."""
    there = _there(connection)
    return sorted(key for key, definition in wanted().items() if there.get(key) != definition)


def _triggers(table: Table, mark: AppendOnly) -> dict[Key, str]:
    booked = ", ".join(column.name for column in table.columns if column.name not in mark.may_change)
    refuse = "EXECUTE FUNCTION refuse_change_of_event()"
    change = f"UPDATE OF {booked} ON public.{table.name} FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) {refuse}"
    if mark.goes_with is None:
        stay = f"DELETE ON public.{table.name} FOR EACH ROW {refuse}"
    else:
        (foreign,) = table.columns[mark.goes_with].foreign_keys
        of = f"'{foreign.column.table.name}', '{foreign.column.name}', '{mark.goes_with}'"
        stay = f"DELETE ON public.{table.name} FOR EACH ROW EXECUTE FUNCTION keep_row_of_journal({of})"
    empty = f"TRUNCATE ON public.{table.name} FOR EACH STATEMENT {refuse}"
    named = {"never_change": change, "stay": stay, "never_empty": empty}
    return {
        Key(table.name, f"{table.name}_{suffix}"): f"CREATE TRIGGER {table.name}_{suffix} BEFORE {event}"
        for suffix, event in named.items()
    }


def _there(connection: Connection) -> dict[Key, str]:
    """Triggers that are switched on and call one of our functions."""
    rows = connection.execute(_TRIGGERS, {"names": list(FUNCTIONS)})
    return {Key(table, trigger): definition for table, trigger, definition, on in rows if on}


def _bodies(connection: Connection) -> dict[str, str]:
    rows = connection.execute(_BODIES, {"names": list(FUNCTIONS)})
    return {str(name): str(body) for name, body in rows}
