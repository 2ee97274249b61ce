"""Behaviour events, to Redis Streams."""
