"""One list of feature columns, used offline (point-in-time frames) and online (one request's vector).

Comes in: marts. Goes out: Parquet files, Feast's online store.
"""
