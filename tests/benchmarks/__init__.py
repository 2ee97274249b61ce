"""Benchmarks. They assert nothing.

Each prints JSON lines and appends them to docs/results/, from which the tables in README.md and docs/figures.md are
rendered.
"""
