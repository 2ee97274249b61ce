"""The record of a simulated company: a file of its own, durable before it answers."""

import sqlite3
from pathlib import Path


class Refused(Exception):
    """The operation is refused and nothing was recorded; `code` is stable.

    HTTP status 409, or 422 for a request that can never succeed.
    """

    def __init__(self, code: str, detail: str, status: int = 409) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status


class Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """The record at `path`, made if there is none; its caller lets one thread at a time use it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(schema)
    return db
