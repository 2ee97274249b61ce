"""Lake to marts: dbt models on DuckDB, Spark jobs for what grows without bound.

Input: lake tables at one watermark. Output: the published marts file, feature files, derived lake tables.
"""
