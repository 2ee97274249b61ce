"""Lake to marts: dbt models on DuckDB, Spark jobs for what grows without bound.

Comes in: lake tables at one watermark. Goes out: the published marts file, derived lake tables.
"""
