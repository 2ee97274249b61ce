"""Mail to people: rows that an event of the outbox makes, delivered by the worker to an SMTP server or to a folder."""
