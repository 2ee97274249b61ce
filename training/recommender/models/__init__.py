"""Scorers. Each takes `Cases` and returns scores_BN float32 over all items.

Higher is better; scores are comparable only within one row.
"""
