"""Texts as vectors: the encoder, the products' vectors in the lake, and how near a query's is to them."""
