"""Marts by changed key: the SQL of the last full dbt build, run again on the keys that the lake's change log names."""
