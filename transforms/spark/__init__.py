"""Spark as an engine of `transforms.jobs`: its session, and lake tables as DataFrames."""
