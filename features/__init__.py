"""One list of feature columns and one read of them as of an instant, in training and in serving.

Comes in: marts. Goes out: Parquet files, Feast's online store.
"""
