"""Change data capture: one logical replication slot to the lake, exactly once in effect. `python -m warehouse.cdc`
runs it."""
