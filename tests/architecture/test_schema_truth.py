"""One schema: the models, the migrated database, the contract file and the publication agree."""

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from api.nouns import metadata
from api.operations import contract
from api.operations.migrate import unmigrated


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
        connection.execute(text("ALTER TABLE products DROP COLUMN brand"))
        connection.execute(text("DROP TABLE cart_items"))
        assert unmigrated(connection) == ["cart_items", "products.brand"]
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
