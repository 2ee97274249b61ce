"""Checks between systems, one module per asset module, declared on the assets they guard. `blocking` ones stop what
lies downstream in the same run.

dbt's own tests are reported by the build itself (`dbt_tests` on each model). Every module here is loaded by itself.
"""
