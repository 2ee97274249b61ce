"""Spark jobs for results that grow without bound: co-purchase pairs and interaction sequences.

The computations are pure functions of DataFrames; `run` reads and writes.
"""
