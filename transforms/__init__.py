"""Lake to marts: dbt models on DuckDB, jobs over all order lines in DuckDB or Spark.

Input: lake tables at one watermark. Output: the published marts file, feature files, derived lake tables.
"""
