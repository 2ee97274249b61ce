"""One schema: the models, the migrated database, the contract file and the publication agree."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from api.nouns import metadata
from api.operations import contract
from api.operations.migrate import publish, unmigrated


def test_migrations_build_exactly_the_models(database_url: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        missing = compare_metadata(MigrationContext.configure(connection), metadata())
        assert missing == [], f"no migration in api/operations/migrations/versions does this: {missing}"
    engine.dispose()


def test_what_no_migration_makes_is_named(database_url: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert unmigrated(connection) == []
        connection.execute(text("ALTER TABLE products DROP COLUMN description"))
        connection.execute(text("DROP TABLE cart_items"))
        assert unmigrated(connection) == ["cart_items", "products.description"]
        connection.rollback()
    engine.dispose()


def test_every_check_constraint_of_the_models_is_in_the_database(database_url: str) -> None:
    declared = {
        str(item.name)
        for table in metadata().tables.values()
        for item in table.constraints
        if item.__visit_name__ == "check_constraint"
    }
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT conname FROM pg_constraint WHERE contype = 'c'").fetchall()

    assert declared <= {row[0] for row in found}


def test_the_publication_is_the_contract(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT tablename, attnames FROM pg_publication_tables WHERE pubname = %s", (contract.PUBLICATION,)
        ).fetchall()
        identities = connection.execute(
            "SELECT relname, CASE relreplident WHEN 'f' THEN 'full' WHEN 'd' THEN 'default' END FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()

    tables = contract.contract()["tables"]
    assert {name: sorted(columns) for name, columns in rows} == {
        t["name"]: sorted(c["name"] for c in t["columns"]) for t in tables
    }
    replica_identity: dict[str, str] = dict(identities)
    assert {t["name"]: replica_identity[t["name"]] for t in tables} == {t["name"]: t["replicaIdentity"] for t in tables}


def test_secrets_and_personal_data_are_not_published() -> None:
    published = {(t["name"], c["name"]) for t in contract.contract()["tables"] for c in t["columns"]}

    assert published.isdisjoint(
        {
            ("users", "email"),
            ("users", "password_hash"),
            ("users", "name"),
            ("users", "phone"),
            ("orders", "shipping_address"),
        }
        | {("orders", "guest_email"), ("orders", "guest_session"), ("carts", "session_id")}
    )
    assert {t["name"] for t in contract.contract()["tables"]}.isdisjoint(
        {"refresh_tokens", "idempotency_keys", "checkouts", "addresses"}
    )


GENERATED = "ALTER TABLE products ADD COLUMN shouted text GENERATED ALWAYS AS (upper(title)) STORED"


def test_postgres_takes_updates_of_every_published_table(database_url: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert contract.refused_updates(connection) == []
        publish(connection)
    engine.dispose()


@pytest.mark.parametrize(
    ("change", "update", "problem"),
    [
        (GENERATED, "products", "REPLICA IDENTITY FULL and the generated column shouted"),
        ("ALTER TABLE orders REPLICA IDENTITY NOTHING", "orders", "REPLICA IDENTITY NOTHING"),
        (
            "ALTER PUBLICATION souk_cdc SET TABLE products (product_id, title)",
            "products",
            "REPLICA IDENTITY FULL and a column list",
        ),
        (
            "ALTER PUBLICATION souk_cdc SET TABLE orders (status)",
            "orders",
            "a column list without its replica identity",
        ),
        ("ALTER TABLE orders DROP CONSTRAINT pk_orders CASCADE", "orders", "no primary key"),
    ],
)
def test_a_table_whose_updates_postgres_refuses_is_named(
    database_url: str, change: str, update: str, problem: str
) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        connection.execute(text(change))
        named = [line for line in contract.refused_updates(connection) if line.startswith(f"table {update} ")]
        assert len(named) == 1
        assert f"published with {problem}: Postgres refuses its updates and deletes." in named[0]
        with pytest.raises(DBAPIError, match=r"cannot update table|replica identity|column list"):
            connection.execute(text(f"UPDATE {update} SET updated_at = now()"))
        connection.rollback()
    engine.dispose()


def test_a_migration_that_stops_the_shops_own_updates_is_refused(database_url: str) -> None:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        connection.execute(text(GENERATED))
        with pytest.raises(
            SystemExit, match="table products is published with REPLICA IDENTITY FULL and the generated"
        ):
            publish(connection)
        connection.rollback()
    engine.dispose()
