"""A model bundle, read and checked."""
