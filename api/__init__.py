"""The shop: the only writer of the business tables in Postgres.

In: HTTP from shoppers and sellers. Out: rows (which CDC carries to the lake), outbox events, behaviour events on
Redis Streams. One folder per business noun with the same file names (models, schemas, commands, queries, routes,
errors, events) over a small kernel. Imports none of the other packages and none imports it: it calls `serving` over
HTTP, and the data side reads its tables.
"""
