"""Change data capture: one logical replication slot to the lake, effectively once.

`python -m warehouse.cdc` runs it.
"""
