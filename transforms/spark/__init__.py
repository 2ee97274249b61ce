"""Spark jobs for results that grow without bound: co-purchase pairs and interaction sequences.

The computations are pure functions of DataFrames; `jobs` reads and writes.
"""
