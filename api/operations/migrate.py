"""`python -m api.operations.migrate`: bring the database to the newest schema, then make the triggers of
the journals and the publication equal to the models. Safe to run again."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect, text

from api.kernel.environment import exit_on_invalid_settings
from api.kernel.settings import Settings, load_settings
from api.operations.contract import contract, publication_statements, refused_updates
from api.operations.journals import enforce

MIGRATIONS = Path(__file__).parent / "migrations"
# The lock keeps two processes from migrating at the same time. The number is
# arbitrary and only has to be the same everywhere.
ADVISORY_LOCK = 7_305_825


def migrate(settings: Settings) -> None:
    """Upgrade to head under an advisory lock, each migration in a transaction of its own, then publish.

    Every statement has a lock timeout, so that it does not block a busy shop; what ends before the head goes on from
    there when it runs again.
    """
    engine = create_engine(settings.sqlalchemy_url, connect_args={"options": "-c lock_timeout=5000"})
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": ADVISORY_LOCK})
        connection.commit()
        upgrade(connection)
        enforce(connection)
        publish(connection)
        connection.commit()
        connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": ADVISORY_LOCK})
        connection.commit()
    engine.dispose()


def upgrade(connection: Connection, revision: str = "head", migrations: Path = MIGRATIONS) -> None:
    """Run the migrations up to a revision on a connection without a transaction."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    connection.commit()


def check_updates(connection: Connection) -> None:
    """Raises: SystemExit, so that nothing of the transaction is kept, when Postgres would refuse updates of a
    published table."""
    if refused := refused_updates(connection):
        raise SystemExit("\n".join(refused))


def publish(connection: Connection) -> None:
    """Make the publication equal to the contract in one transaction.

    Raises: SystemExit, so that nothing of it is kept, when a published column is missing, or when Postgres would
    refuse updates of a published table.
    """
    if missing := unmigrated(connection):
        raise SystemExit(f"no migration makes {', '.join(missing)}: add one to {MIGRATIONS / 'versions'}")
    for statement in publication_statements():
        connection.execute(text(statement))
    check_updates(connection)


def unmigrated(connection: Connection) -> list[str]:
    """Tables and `table.column`s that the models publish and the database lacks."""
    there = {
        name: {column["name"] for column in columns}
        for (_, name), columns in inspect(connection).get_multi_columns().items()
    }
    missing = []
    for table in contract()["tables"]:
        if table["name"] not in there:
            missing.append(table["name"])
            continue
        columns = {column["name"] for column in table["columns"]}
        missing += [f"{table['name']}.{column}" for column in sorted(columns - there[table["name"]])]
    return missing


if __name__ == "__main__":
    with exit_on_invalid_settings():
        migrate(load_settings())
    sys.stdout.write("schema is at head\n")
