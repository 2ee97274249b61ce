"""DuckDB on the lake's files, also on an object store: its own extension for that must be downloaded, so Arrow's client
reads.

Arrow, delta-rs and polars take keys and address from the same variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL.
"""

import os

import duckdb

_SCHEME = "s3"


def connect(lake: str | os.PathLike[str] = "") -> duckdb.DuckDBPyConnection:
    """A private in-memory DuckDB in UTC that loads nothing from outside and can read the lake's files."""
    con = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    con.execute("SET TimeZone = 'UTC'")
    reach(con, lake)
    return con


def reach(con: duckdb.DuckDBPyConnection, lake: str | os.PathLike[str]) -> None:
    """Let the connection read the files of a lake on S3; a folder needs nothing."""
    root = str(lake)
    if not root.startswith(f"{_SCHEME}://") or con.filesystem_is_registered(_SCHEME):
        return
    from fsspec.implementations.arrow import ArrowFSWrapper  # a lake in a folder needs neither
    from pyarrow.fs import FileSystem

    files, _ = FileSystem.from_uri(root)
    con.register_filesystem(ArrowFSWrapper(files))
