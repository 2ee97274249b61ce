"""What books stock, orders, returns and events is written once: Postgres refuses the application's own role to change,
remove or truncate it, for every journal of the models."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql as q
from sqlalchemy import Connection, create_engine, text

from api.nouns import journals, metadata
from api.operations import journals as keeping
from api.operations.migrate import publish
from tests.harness.history import tiny_marketplace
from tests.harness.postgres import PostgresHarness

Sql = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module")
def url(postgres_server: PostgresHarness) -> Iterator[str]:
    """A shop with a history, as the role of the application."""
    name = postgres_server.fresh_database(tiny_marketplace)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def sql(url: str) -> Iterator[Sql]:
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()


def test_the_journals_of_the_shop() -> None:
    assert {
        "inventory_transactions",
        "order_events",
        "return_events",
        "outbox_events",
        "buyer_data_accesses",
    } <= journals().keys()


@pytest.mark.parametrize("table", journals())
def test_no_row_of_a_journal_is_removed_or_truncated(sql: Sql, table: str) -> None:
    rows = sql.execute(q.SQL("SELECT count(*) FROM {}").format(q.Identifier(table))).fetchone()
    assert rows != (0,), f"tests/harness/history.py writes no row of {table}"
    for change in ("DELETE FROM {}", "TRUNCATE {} CASCADE"):
        with pytest.raises(psycopg.errors.RestrictViolation, match=table), sql.transaction():
            sql.execute(q.SQL(change).format(q.Identifier(table)))
    assert sql.execute(q.SQL("SELECT count(*) FROM {}").format(q.Identifier(table))).fetchone() == rows


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column.name) for table in journals() for column in metadata().tables[table].columns],
)
def test_a_journal_changes_only_in_the_columns_that_say_nothing_of_what_it_books(
    sql: Sql, table: str, column: str
) -> None:
    kind = sql.execute(
        "SELECT CASE udt_name WHEN '_uuid' THEN udt_name ELSE data_type END FROM information_schema.columns"
        " WHERE table_name = %s AND column_name = %s",
        (table, column),
    ).fetchone()
    assert kind is not None
    other = {
        "uuid": "gen_random_uuid()",
        "timestamp with time zone": "now() + interval '1 hour'",
        "ARRAY": "ARRAY['X']",
        "_uuid": "ARRAY[gen_random_uuid()]",
        "jsonb": "jsonb_build_object('other', 1)",
        "character varying": "'X'",
        "text": "'X'",
        "boolean": "NOT coalesce({column}, false)",
    }.get(str(kind[0]), "coalesce({column}, 0) + 1")
    change = q.SQL("UPDATE {table} SET {column} = " + other)
    update = change.format(table=q.Identifier(table), column=q.Identifier(column))
    # Constraints are looked at after the triggers, so that they cannot be what refuses.
    if column in journals()[table].may_change:
        assert sql.execute(update).rowcount > 0
    else:
        with pytest.raises(psycopg.errors.RestrictViolation, match=table):
            sql.execute(update)


def test_an_update_that_changes_nothing_is_no_change(sql: Sql) -> None:
    assert sql.execute("UPDATE inventory_transactions SET quantity_change = quantity_change").rowcount > 0


def test_the_database_has_the_triggers_of_the_models(connection: Connection) -> None:
    assert keeping.unenforced(connection) == []
    assert keeping.enforce(connection) == []
    assert len(keeping.wanted()) == 3 * len(journals())


@pytest.mark.parametrize(
    "mutant",
    [
        "DROP TRIGGER inventory_transactions_stay ON inventory_transactions",
        "ALTER TABLE inventory_transactions DISABLE TRIGGER inventory_transactions_stay",
        (
            "CREATE OR REPLACE TRIGGER inventory_transactions_stay BEFORE DELETE ON inventory_transactions"
            " FOR EACH ROW WHEN (OLD.new_quantity < 0) EXECUTE FUNCTION refuse_change_of_event()"
        ),
    ],
)
def test_a_database_without_a_guard_loses_rows_is_named_and_is_mended(connection: Connection, mutant: str) -> None:
    """The control: without the trigger the row goes, as the application's role."""
    connection.execute(text(mutant))
    nested = connection.begin_nested()
    assert connection.execute(text("DELETE FROM inventory_transactions")).rowcount > 0
    nested.rollback()

    lost = [keeping.Key("inventory_transactions", "inventory_transactions_stay")]
    assert keeping.unenforced(connection) == lost
    assert keeping.enforce(connection) == lost
    assert keeping.unenforced(connection) == []
    publish(connection)
    with pytest.raises(Exception, match="rows of inventory_transactions are never changed"):
        connection.execute(text("DELETE FROM inventory_transactions"))


def test_a_guard_of_a_table_that_is_no_journal_any_more_is_removed(connection: Connection) -> None:
    connection.execute(
        text(
            "CREATE TRIGGER refunds_stay BEFORE DELETE ON refunds FOR EACH ROW"
            " EXECUTE FUNCTION refuse_change_of_event()"
        )
    )

    assert keeping.enforce(connection) == [keeping.Key("refunds", "refunds_stay")]
    assert connection.scalar(text("SELECT count(*) FROM pg_trigger WHERE tgname = 'refunds_stay'")) == 0
