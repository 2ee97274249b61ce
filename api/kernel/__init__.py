"""The base of every noun: settings, database, ids, clock, money, errors, actor, idempotency, outbox.

Imports no noun.
"""
