"""Filling a new table from a big one while the shop writes: by migrations only."""

from uuid import UUID

from sqlalchemy import Connection, text

BATCH = 5_000
_START = UUID(int=0)


def fill_in_batches(connection: Connection, statement: str) -> int:
    """Run a statement until it has come to the end of its source; returns how often.

    The statement inserts what comes from the `:size` rows after the key `:after`, does nothing for rows that are there,
    and returns the last key. The connection commits each time, so no lock outlives a batch.
    """
    after, runs = _START, 0
    while (row := connection.execute(text(statement), {"after": after, "size": BATCH}).first()) is not None:
        after, runs = row[0], runs + 1
    return runs
