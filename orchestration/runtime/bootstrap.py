"""Roles and databases of a fresh server."""

from collections.abc import Sequence
from dataclasses import dataclass, field

OWNER, REPLICATOR = "souk", "souk_cdc"
DATABASES = ("souk", "dagster", "mlflow", "feast")


@dataclass(frozen=True)
class RolePasswords:
    """Passwords of the two roles that are not the superuser."""

    owner: str = field(repr=False)
    replicator: str = field(repr=False)


def prepare_server(admin_url: str, passwords: RolePasswords, databases: Sequence[str] = DATABASES) -> None:
    """Create missing roles and databases, and set the given passwords. Safe to repeat."""
    import psycopg  # takes half a second to import; commands without a database do not need it
    from psycopg import sql

    with psycopg.connect(admin_url, autocommit=True) as admin:
        roles = {row[0] for row in admin.execute("select rolname from pg_roles")}
        for role, password, rights in (
            (OWNER, passwords.owner, sql.SQL("login")),
            (REPLICATOR, passwords.replicator, sql.SQL("login replication")),
        ):
            verb = sql.SQL("alter" if role in roles else "create")
            admin.execute(
                sql.SQL("{} role {} {} password {}").format(verb, sql.Identifier(role), rights, sql.Literal(password))
            )
        admin.execute(sql.SQL("grant pg_read_all_data to {}").format(sql.Identifier(REPLICATOR)))
        existing = {row[0] for row in admin.execute("select datname from pg_database")}
        for name in databases:
            if name not in existing:
                admin.execute(
                    sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(OWNER))
                )
