"""`python -m orchestration.runtime.databases`: roles and databases of the server in use, embedded or not.

Runs before the migrations.
"""

import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from orchestration.runtime.bootstrap import DATABASES, RolePasswords, prepare_server
from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.machine import Machine, load_machine
from orchestration.settings import load_settings


def prepare_databases(machine: Machine) -> None:
    """Prepare the server.

    On the embedded server: every role and database. On an operator's server: only the databases of Dagster, MLflow and
    Feast, on the server of the shop's database.
    """
    if machine.settings.database_url is None:
        prepare_server(
            machine.cluster.url(), RolePasswords(machine.config.owner_password, machine.config.replicator_password)
        )
    else:
        check_outside_server(machine.database_url, machine.replication_url)
        create_siblings(machine.database_url, [name for name in DATABASES if name != "souk"])


def check_outside_server(database_url: str, replication_url: str) -> None:
    """Check that an operator's server is configured for change capture. Changes nothing.

    Raises: RuntimeProblem naming the setting to change.
    """
    if urlsplit(database_url).scheme not in {"postgresql", "postgres"}:
        raise RuntimeProblem("DATABASE_URL must look like postgresql://user:password@host:port/database")
    level = _one(database_url, "DATABASE_URL", "show wal_level")
    if level != "logical":
        raise RuntimeProblem(
            f"the server of DATABASE_URL has wal_level={level}, change capture needs logical: "
            "run `alter system set wal_level = 'logical'` there, restart it, and try again."
        )
    may = _one(
        replication_url,
        "REPLICATION_URL",
        "select rolreplication or rolsuper from pg_roles where rolname = current_user",
    )
    if not may:
        role = urlsplit(replication_url).username
        raise RuntimeProblem(
            f"role {role} may not replicate: run `alter role {role} replication` on that server, "
            "or set REPLICATION_URL to a role that may replicate and read every table."
        )


def _one(url: str, name: str, query: str) -> object:
    import psycopg  # takes half a second to import; commands without a database do not need it

    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise RuntimeProblem(
            f"cannot connect to the server of {name}: {reason}. Check host, port, user and password in {name}."
        ) from error
    return row[0] if row else None


def create_siblings(database_url: str, names: Sequence[str]) -> None:
    """Create missing databases on the server of `database_url`.

    Raises: RuntimeProblem with the SQL statements to run when the role may not create databases.
    """
    import psycopg
    from psycopg import sql

    with psycopg.connect(database_url, autocommit=True) as connection:
        existing = {row[0] for row in connection.execute("select datname from pg_database")}
        missing = [name for name in names if name not in existing]
        try:
            for name in missing:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as error:
            role = urlsplit(database_url).username
            statements = "; ".join(f"create database {name} owner {role}" for name in missing)
            raise RuntimeProblem(f"role {role} may not create databases; run there: {statements}") from error


def main() -> int:
    """Exit status 0, or 1 with an error message."""
    machine = load_machine(load_settings())
    if machine is None:
        sys.stderr.write("no state directory yet: run `souk up`\n")
        return 1
    try:
        prepare_databases(machine)
    except RuntimeProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
