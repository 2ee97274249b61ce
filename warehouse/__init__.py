"""Postgres -> change data capture -> an exact Delta lake.

What goes in: the business tables, through one logical replication slot. What comes out: per table a change log and a
current state, and a watermark table that says which versions of them belong together at which LSN. Start with
`README.md` in this folder.
"""
