"""A lake on an object store, read by DuckDB. Its own extension for that must be downloaded, so Arrow's client reads.

Arrow, delta-rs and polars take keys and address from the same variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL.
"""

import os

import duckdb

_SCHEME = "s3"


def reach(con: duckdb.DuckDBPyConnection, lake: str | os.PathLike[str]) -> None:
    """Let the connection read the files of a lake on S3; a folder needs nothing."""
    root = str(lake)
    if not root.startswith(f"{_SCHEME}://") or con.filesystem_is_registered(_SCHEME):
        return
    from fsspec.implementations.arrow import ArrowFSWrapper  # a lake in a folder needs neither
    from pyarrow.fs import FileSystem

    files, _ = FileSystem.from_uri(root)
    con.register_filesystem(ArrowFSWrapper(files))
