"""Checks between systems: one module per asset module, each check declared on the asset it guards.

A failed `blocking` check stops everything downstream in the same run. The build reports dbt's own tests (`dbt_tests` on
each model). Every module here is loaded automatically.
"""
