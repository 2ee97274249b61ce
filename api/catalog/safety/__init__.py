"""Product safety data: who made a product, who answers for it, and what it warns of."""
