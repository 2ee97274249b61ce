"""`python -m api.operations.migrate`: bring the database to the newest schema, then make the publication equal to the
contract. Safe to run again."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from api.kernel.settings import Settings, load_settings
from api.operations.contract import publication_statements

MIGRATIONS = Path(__file__).parent / "migrations"
# Two processes starting together must not migrate together; the number is arbitrary and only has to be the same
# everywhere.
ADVISORY_LOCK = 7_305_825


def migrate(settings: Settings) -> None:
    """Upgrade to head under an advisory lock, every statement with a lock timeout so that a busy shop is not
    stalled."""
    engine = create_engine(settings.sqlalchemy_url, connect_args={"options": "-c lock_timeout=5000"})
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": ADVISORY_LOCK})
        connection.commit()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        for statement in publication_statements():
            connection.execute(text(statement))
        connection.commit()
        connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": ADVISORY_LOCK})
        connection.commit()
    engine.dispose()


if __name__ == "__main__":
    migrate(load_settings())
    sys.stdout.write("schema is at head\n")
