"""The lake on disk: Delta tables written and read through delta-rs and DuckDB, no extension, no catalog server."""
