"""Postgres -> change data capture -> an exact Delta lake.

Input: the business tables, through one logical replication slot. Output: a change log and a current state per table,
and a watermark table that says which versions of them belong together at which LSN. Start with `README.md` in this
folder.
"""
