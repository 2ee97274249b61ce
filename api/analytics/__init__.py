"""A seller's figures, from the published marts and from the rows written since."""
