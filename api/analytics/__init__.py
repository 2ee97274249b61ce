"""A seller's figures: the published marts and what happened since, read together."""
