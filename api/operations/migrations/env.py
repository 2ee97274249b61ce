"""Alembic's entry: always online, always on the connection that `api.operations.migrate` holds."""

from alembic import context

from api.nouns import metadata
from api.operations.migrate import publish

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata(), compare_type=True, compare_server_default=False)
with context.begin_transaction():
    context.run_migrations()
    publish(connection)
