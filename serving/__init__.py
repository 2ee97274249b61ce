"""Model bundle to ranked items over HTTP: retrieve, rank, fall back.

Comes in: a model bundle and online features. Goes out: ranked products with reasons. Never imports `training`.
"""
