"""The outbox as a test needs it: Postgres keeps its rows while the triggers of its owner are on."""

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg import Connection, sql


def remove_events(
    connection: Connection[Any],  # Any: rows are not read
    where: LiteralString = "true",
    values: Mapping[str, object] | None = None,
) -> None:
    """Remove the outbox events for which `where` is true. The connection is its owner's."""
    with connection.transaction():
        connection.execute("alter table outbox_events disable trigger user")
        connection.execute(sql.SQL("delete from outbox_events where ") + sql.SQL(where), values)
        connection.execute("alter table outbox_events enable trigger user")
