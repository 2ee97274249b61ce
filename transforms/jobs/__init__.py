"""Jobs over every order line: co-purchase pairs, interaction sequences. One SQL text each, run by DuckDB or Spark."""
