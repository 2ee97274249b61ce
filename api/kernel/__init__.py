"""What every noun stands on: settings, database, ids, clock, money, errors, actor, idempotency, outbox. Knows no
noun."""
