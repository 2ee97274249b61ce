"""Postgres to lake: snapshot, logical replication, Delta tables, reconciliation.

Comes in: the replication stream and the contract file. Goes out: change log and current state per source table. Imports none of ours.
"""
