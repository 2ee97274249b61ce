"""`python -m api.operations.published`: published tables whose updates and deletes Postgres refuses, one a line.

Changes nothing. Exit status 0 when there is none, 1 when there are some.
"""

import sys

from sqlalchemy import create_engine

from api.kernel.environment import exit_on_invalid_settings
from api.kernel.settings import Settings, load_settings
from api.operations.contract import refused_updates


def refused(settings: Settings) -> list[str]:
    """Raises: OperationalError when the database does not answer within five seconds."""
    engine = create_engine(settings.sqlalchemy_url, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            return refused_updates(connection)
    finally:
        engine.dispose()


if __name__ == "__main__":
    with exit_on_invalid_settings():
        lines = refused(load_settings())
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.exit(1 if lines else 0)
