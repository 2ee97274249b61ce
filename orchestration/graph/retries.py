"""How often a step is tried again before its run fails."""

import dagster as dg

TWICE = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For a step that calls another process (Redis, Spark's JVM, serving), which may be restarting.

A build is not in it: a data test that failed fails again on the same rows.
"""
