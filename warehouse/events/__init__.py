"""Behaviour events from the shop's stream into the lake, each once."""
