"""The shop's invariants as named SQL; they hold whenever no request is in progress. Load,
concurrency, chaos and fuzz tests check them.

`python -m api.operations.invariants` prints one line per check and exits 1 when one is broken. `run.violations` is
the same for callers in Python. Not here: lake = Postgres (R-I13) and marts = Postgres (R-I14) are proven by the
warehouse's verify and the dbt tests; Prime (R-I12), online = offline features (R-I15) and the
double-entry half of R-I7 have no tables in the shop yet.
"""
