"""Alembic's entry: always online, always on the connection that `api.operations.migrate` holds.

Each migration is a transaction of its own, so a lock lasts as long as its migration. One that fills a table does it in
batches outside the transaction (`api.operations.batches`) and can run again.
"""

from alembic import context

from api.nouns import metadata
from api.operations.migrate import check_updates

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata(),
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=True,
    on_version_apply=lambda **_: check_updates(connection),
)
with context.begin_transaction():
    context.run_migrations()
