"""Features to model bundle: datasets at one lake watermark, models, losses, evaluation, the bundle.

Comes in: feature files and lake tables. Goes out: a model bundle. Never imports `serving`.
"""
