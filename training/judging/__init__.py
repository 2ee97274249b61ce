"""Evaluates models: metrics, intervals, paired comparisons."""
