"""Scorers. Each takes `Cases` and gives scores_BN float32 over all items, higher is better, comparable only within one
row."""
